"""Under which licence a file is: an SPDX expression, as given or as answered."""

from __future__ import annotations

from pipeline.config.schema import UNKNOWN_LICENCE
from pipeline.draft.asking import Asker, Question
from pipeline.errors import Code, PipelineError

_FORM = "an SPDX expression such as Apache-2.0, or LicenseRef-NAME for one that SPDX does not list"


def licence(what: str, flag: str, given: str | None, ask: Asker) -> str:
    """Return the licence of ``what``; a person is asked until the answer is one.

    Raises PipelineError (USAGE) when the one that the command line gives is none.
    """
    if given is not None:
        try:
            return spdx(given)
        except ValueError as error:
            raise PipelineError(
                Code.USAGE,
                "This is no licence as SPDX writes it.",
                where=f"{flag} {given!r}",
                expected=_FORM,
                found=str(error),
            ) from None
    text = f"The licence of {what}, as an SPDX identifier such as MIT"
    while True:
        answer = ask(Question(text=text, flag=flag, default=UNKNOWN_LICENCE))
        try:
            return spdx(answer)
        except ValueError as error:
            text = f"{error}. The licence of {what}, as {_FORM}"


def spdx(text: str) -> str:
    """Return an SPDX expression as SPDX spells it; raises ValueError that says what is wrong.

    >>> spdx("apache-2.0 or mit")
    'Apache-2.0 OR MIT'
    """
    # Not loaded where nothing is drafted.
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression as error:
        raise ValueError(str(error).rstrip(".")) from None
