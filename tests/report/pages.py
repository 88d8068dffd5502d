"""Reports as values for tests, with texts in them that would be markup if they were let."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.report.html import facts
from pipeline.report.html.drawings import InputDrawings, OutputDrawings
from pipeline.report.html.run_log import BlockedStep, Failure, LoggedStep, RunLog

HOSTILE = """</style></script><script>window.pwned=1</script><img src=x onerror=pwned=1>"'&\u202e"""


def distance(**other: Any) -> facts.Distance:
    usual: dict[str, Any] = {
        "output": "prob",
        "agrees": True,
        "distance": 3.8e-6,
        "floor": 2.4e-6,
        "bound": 2.0e-5,
        "margin": 0.19,
        "cosine": 1.0,
        "ties": 0,
        "kernels": None,
        "note": "",
    }
    return facts.Distance(**{**usual, **other})


def checks(label: str = "Egyptian cat") -> facts.Checks:
    return facts.Checks(
        native_equal=True,
        executor="opencv",
        version="4.14.0",
        factor=8.0,
        ulps=8,
        reason="",
        distances=(distance(),),
        expected="top 1 is 285",
        expected_value=0.454,
        within=0.005,
        top=(
            facts.Bar(index=285, label=label, value=0.4538, share=1.0),
            facts.Bar(index=282, label="tiger cat", value=0.29, share=0.64),
        ),
        seconds={"guest": 0.3},
        processor="a processor",
        system="Linux",
    )


def fixture(
    name: str, picture: Any, state: facts.State = facts.State.VERIFIED
) -> facts.FixtureFacts:
    verified = state is facts.State.VERIFIED
    return facts.FixtureFacts(
        name=name,
        description=f"a description with {HOSTILE}",
        state=state,
        problems=() if verified else (("verify:" + name, HOSTILE),),
        cases=(
            facts.CaseFacts(
                name="cat",
                inputs=(InputDrawings(name="data", source=picture, picture=picture, note=""),),
                outputs=(
                    OutputDrawings(name="mask", picture=picture, note="4 × 4 over the input"),
                ),
                files={"data": "cat-1x3x227x227-f32.bgr"},
                checks=checks(HOSTILE) if verified else None,
                problem="" if verified else HOSTILE,
                failed=not verified,
            ),
        ),
        model=facts.ModelFacts(
            framework="caffe",
            precision="f32",
            inputs=(facts.PortFacts(name="data", type="f32", shape="1 × 3 × 227 × 227"),),
            outputs=(facts.PortFacts(name=HOSTILE, type="f32", shape="1 × 1000"),),
            before=4959470,
            after=5018088,
            layers=92,
            kinds=(("Convolution", 26),),
            parameters=(("f32", 1235499),),
        ),
        guest="classify",
        guest_load="bytes",
        sources=(
            facts.SourceFacts(
                name="chelsea",
                license="CC0-1.0",
                url=HOSTILE,
                homepage="javascript:window.pwned=1",
                size=240512,
                sha256="59" * 32,
            ),
            facts.SourceFacts(
                name="weights",
                license="BSD-2-Clause",
                url="https://example.org/weights",
                homepage="https://example.org/",
                size=None,
                sha256="",
            ),
        ),
        files=(facts.File(names=("model.xml", f"{name}.xml"), size=76076, sha256="dc" * 32),),
        commands=(("wasi-nn", f"wasi-nn run --dir artifacts/{name}::fixture x.wasm -- cat"),),
        tools=(("openvino", "2026.4.1"),),
        accuracies=(),
    )


def step(name: str, outcome: str, start: float, thread: int) -> LoggedStep:
    return LoggedStep(
        name=name, outcome=outcome, start=start, seconds=2.5, thread=thread, reasons=(HOSTILE,)
    )


def failed_run() -> RunLog:
    return RunLog(
        began=1_796_056_687.0,
        seconds=12.0,
        arguments=("manifest:bad",),
        pipeline="0.1.0",
        python="3.13.1",
        exit_code=1,
        interrupted=False,
        steps=(
            step("ir:good", "built", 0.0, 1),
            step("tensor:good.cat", "restored", 0.1, 2),
            step("verify:bad.cat", "failed", 3.0, 1),
        ),
        untouched=("source:good.weights", "source:bad.weights"),
        failures=(
            Failure(
                step="verify:bad.cat",
                code="verify",
                message=f"The guest's output differs. {HOSTILE}",
                where="configs/fixtures/bad.toml:12",
                expected="285",
                found=HOSTILE,
                hint="Check colour order.",
                detail=f"the last line\n{HOSTILE}",
            ),
        ),
        blocked=(BlockedStep(step="manifest:bad", reason="verify:bad.cat"),),
        skipped=(),
    )


def failed_report(picture: Any) -> facts.Report:
    run = failed_run()
    return facts.Report(
        project=HOSTILE,
        written=1_796_056_700.0,
        run=run,
        failures=run.failures,
        fixtures=(
            fixture("bad", picture, facts.State.FAILED),
            *(fixture(f"good-{number}", picture) for number in range(4)),
        ),
        absent=(replace(fixture("later", picture), state=facts.State.ABSENT),),
        guests=(
            facts.GuestFacts(
                name="classify",
                language="c",
                description=HOSTILE,
                size=40230,
                imports=(("wasi_ephemeral_nn", ("load", "compute")),),
                used_by=("bad", "good-0"),
            ),
        ),
    )


def large_report(picture: Any) -> facts.Report:
    """Return a report of many fixtures, whose cards differ in height."""
    made = failed_report(picture)
    fixtures = [
        replace(each, cases=each.cases * (1 + number % 3))
        for number, each in enumerate(fixture(f"net-{number}", picture) for number in range(60))
    ]
    return replace(made, fixtures=tuple(fixtures))


def empty_report() -> facts.Report:
    return facts.Report(
        project="empty",
        written=0.0,
        run=None,
        failures=(),
        fixtures=(),
        absent=(),
        guests=(),
    )
