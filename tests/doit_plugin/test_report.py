"""Every run that did something leaves a page for people, and never fails by it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.tiny import Project, write_model


def page_of(project: Project) -> str:
    return (project.root / "artifacts" / "report.html").read_text("utf-8")


def headline(page: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page, re.S)
    assert found
    return found[1].strip()


def state_of(page: str, fixture: str) -> str:
    card = page.partition(f'id="f-{fixture}"')[2].partition("</article>")[0]
    found = re.search(r'<span class="state [^>]*><span[^>]*>.</span> ([a-z ]+)</span>', card)
    assert found
    return found[1]


def test_a_built_project_has_a_page_with_its_pictures_checks_and_steps(project: Project) -> None:
    page = page_of(project)
    assert headline(page) == "All 2 cases verified"
    assert state_of(page, "tiny") == "verified"
    # Two photos, and what became of each.
    assert page.count("data:image/webp") == 4
    assert "red-1x3x8x8-f32.rgb" in page
    assert "never built in this project" in page
    assert "1 GroupConvolution" in page or "ReduceMean" in page
    assert str(project.root) not in page


def test_a_run_with_nothing_to_do_leaves_the_page_alone(project: Project) -> None:
    place = project.root / "artifacts" / "report.html"
    before = place.stat().st_mtime_ns
    run = project.doit()
    assert run.output.startswith("nothing to do")
    assert "report" not in run.output
    assert place.stat().st_mtime_ns == before


def test_a_failure_is_first_on_the_page_and_gone_once_it_is_mended(project: Project) -> None:
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    run = project.doit()
    assert run.returncode == 1
    assert run.output.rstrip().endswith("report: artifacts/report.html")
    page = page_of(project)
    assert headline(page) == "1 step failed, 1 of 2 cases verified"
    assert page.index('id="failures"') < page.index('id="overview"')
    assert "The largest output is of another class than the config expects." in page
    assert "configs/fixtures/tiny.toml:" in page
    assert 'manifest:tiny</b> <span class="soft">not run' in page
    assert "parameter expect.top1: 0 → 1" in page
    assert state_of(page, "tiny") == "failed"
    assert re.search(r"\d+ steps were up to date", page)
    project.edit("[expect.red]\ntop1 = 1", "[expect.red]\ntop1 = 0")
    assert project.doit().returncode == 0
    assert headline(page_of(project)) == "All 2 cases verified"
    assert 'id="failures"' not in page_of(project)


def test_a_page_that_cannot_be_written_is_told_in_one_line_and_fails_no_run(
    project: Project,
) -> None:
    place = project.root / "artifacts" / "report.html"
    place.unlink()
    place.mkdir()
    project.edit("mean = [10, 20, 30]", "mean = [10, 20, 31]")
    run = project.doit()
    assert run.returncode == 0
    (told,) = (line for line in run.output.splitlines() if "report" in line)
    assert told.startswith("no report: The report cannot be written.")
    asked = project.doit("report")
    assert asked.returncode == 1
    assert asked.output.startswith("error[storage]: The report cannot be written.")


def test_what_is_missing_or_damaged_is_said_on_the_page(project: Project, tmp_path: Path) -> None:
    (project.folder / "evidence/red/report.json").write_text("<b>no JSON")
    (project.folder / "blue-1x3x8x8-f32.rgb").write_bytes(b"short")
    (project.folder / "tiny.xml").write_text("<net")
    (project.root / "artifacts/.steps/tiny/interface.json").write_text("{}")
    run = project.doit("report", "-o", str(tmp_path / "page.html"))
    assert run.returncode == 0, run.output
    page = (tmp_path / "page.html").read_text("utf-8")
    assert state_of(page, "tiny") == "out of date"
    assert page.count("This case has not been verified as it is now declared.") == 2
    assert "Cannot render the tensor: The file size does not match the tensor spec." in page
    assert headline(page) == "0 of 2 cases verified"


def test_what_was_never_built_is_named_with_how_to_build_it(project: Project) -> None:
    for name in ("artifacts/tiny", "artifacts/.steps"):
        path = project.root / name
        path.rename(path.with_name(f"{path.name}-away"))
    run = project.doit("report")
    assert run.returncode == 0, run.output
    page = page_of(project)
    assert headline(page) == "Nothing is built yet"
    assert "doit manifest:NAME" in page
    assert "<b>tiny</b>" in page


def test_evidence_of_an_earlier_expectation_is_not_shown_as_todays(project: Project) -> None:
    report = project.folder / "evidence/red/report.json"
    assert json.loads(report.read_bytes())["native_equal"] is True
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 2")
    project.doit("report")
    page = page_of(project)
    assert state_of(page, "tiny") == "out of date"
    assert headline(page) == "1 of 2 cases verified"


def card_of(page: str, fixture: str) -> str:
    return page.partition(f'id="f-{fixture}"')[2].partition("</article>")[0]


def disagree(project: Project, scale: float) -> None:
    """Let the executor answer with another network, which multiplies by ``scale``."""
    write_model(project.root / "other.onnx", scale)
    other = '[source.other]\nurls = ["file:other.onnx"]\nlicense = "Apache-2.0"\n\n'
    project.edit("[source.red]", f"{other}[source.red]")
    golden = 'executor = "onnxruntime"'
    project.edit(golden, f'{golden}\nfiles = {{ model = "other" }}')


def test_a_failed_case_shows_its_outputs_beside_the_executors(project: Project) -> None:
    ours = json.loads((project.folder / "evidence/red/report.json").read_bytes())["top"][0]["value"]
    disagree(project, 0.13)
    assert project.doit().returncode == 1
    card = card_of(page_of(project), "tiny")
    assert "failed last time: Output y of the IR disagrees with onnxruntime" in card
    assert "beside onnxruntime" in card
    assert "Where they differ most; 3 of 3 elements are not equal" in card
    row = card.partition("Where they differ most")[2].partition("</table>")[0]
    index, mine, theirs, difference = re.findall(r"<td[^>]*>([^<\n]*)", row)[:4]
    assert index == "0, 0"
    assert float(mine) == round(ours, 4)
    assert float(theirs) == pytest.approx(1.3 * ours, rel=1e-4)
    assert float(difference) == pytest.approx(0.3 * ours, rel=1e-3)
    # What is not verified has nothing in the folder that is published.
    assert not (project.folder / "evidence/red").exists() or (
        "other" not in (project.folder / "evidence/red/report.json").read_text()
    )


def test_a_failed_expectation_shows_the_five_largest(project: Project) -> None:
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    assert project.doit().returncode == 1
    card = card_of(page_of(project), "tiny")
    assert "The largest values that came out; expected: top 1 is 1" in card
    assert "all 3 elements are equal" in card


def test_damaged_evidence_of_a_failure_is_left_out(project: Project) -> None:
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    assert project.doit().returncode == 1
    (place,) = (project.root / "artifacts/.steps/history").glob("verify*red.failed.json")
    content = json.loads(place.read_bytes())
    assert content["evidence"]["top"][0]["index"] == 0
    place.write_text(json.dumps({**content, "evidence": {"top": [{"index": "<b>"}]}}))
    run = project.doit("report")
    assert run.returncode == 0, run.output
    assert "The largest values that came out" not in page_of(project)
    assert state_of(page_of(project), "tiny") == "failed"


def test_what_waits_for_a_step_that_failed_earlier_says_so(project: Project) -> None:
    (project.root / "guests/classify/classify.c").write_text("no C")
    assert project.doit().returncode == 1
    # Another run, which says nothing of the fixture.
    (project.root / "artifacts/tiny/red-1x3x8x8-f32.rgb").unlink()
    assert project.doit("tensor:tiny.red").returncode == 0
    page = page_of(project)
    assert "needs guest:classify, which failed last time" in card_of(page, "tiny")
    assert state_of(page, "tiny") == "not run"
