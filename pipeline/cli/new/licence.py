"""The licence of a file as an SPDX expression, from an option or a prompt."""

from __future__ import annotations

from pipeline.cli.new.prompts import Asker, Question
from pipeline.config.schema import UNKNOWN_LICENCE
from pipeline.errors import Code, PipelineError

_FORM = "an SPDX expression such as Apache-2.0, or LicenseRef-NAME for one that SPDX does not list"


def licence(what: str, flag: str, given: str | None, ask: Asker) -> str:
    """Return the licence of ``what``; prompts until the answer is valid.

    Raises PipelineError (USAGE) if the one on the command line is invalid.
    """
    if given is not None:
        return given_licence(flag, given)
    text = f"Licence of {what}, as an SPDX identifier such as MIT"
    while True:
        answer = ask(Question(text=text, flag=flag, default=UNKNOWN_LICENCE)).text
        try:
            return spdx(answer)
        except ValueError as error:
            text = f"{error}. Licence of {what}, as {_FORM}"


def given_licence(flag: str, text: str) -> str:
    """Return a licence of the command line in canonical spelling; raises PipelineError (USAGE)."""
    try:
        return spdx(text)
    except ValueError as error:
        raise PipelineError(
            Code.USAGE,
            "Invalid SPDX licence expression.",
            where=f"{flag} {text!r}",
            expected=_FORM,
            found=str(error),
        ) from None


def spdx(text: str) -> str:
    """Return an SPDX expression in canonical spelling; raises ValueError with the reason.

    >>> spdx("apache-2.0 or mit")
    'Apache-2.0 OR MIT'
    """
    # Imported here, as only drafting needs it.
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression as error:
        raise ValueError(str(error).rstrip(".")) from None
