"""Bad input gets one clear error, exit code 1, no traceback, and nothing half-written."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.tiny import BUILTIN, ROOT, Project, Run, write_model

WRONG = "0" * 64


def assert_one_clear_error(run: Run, *words: str) -> None:
    assert run.returncode == 1, run.output
    assert "Traceback" not in run.output
    for word in words:
        assert word in run.output, run.output


def assert_nothing_half_written(project: Project) -> None:
    leftovers = [path for path in project.root.rglob("*") if path.name.endswith(".part")]
    assert leftovers == []
    temporary = project.root / "artifacts/.cache/tmp"
    assert not temporary.exists() or list(temporary.iterdir()) == []


def assert_no_longer_vouched_for(project: Project) -> None:
    assert not (project.folder / "manifest.json").exists()


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/page":
            self._send(b"<!DOCTYPE html><html><body>Sign in</body></html>", 10**4)
        elif self.path == "/cut":
            self._send(b"x" * 1000, 100_000)
        else:
            self.send_error(404)

    def _send(self, body: bytes, length: int) -> None:
        self.send_response(200)
        whole = len(body) if self.path == "/page" else length
        self.send_header("Content-Length", str(whole))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def point_model_at(project: Project, url: str) -> None:
    project.edit('urls = ["file:tiny.onnx"]', f'urls = ["{url}"]\nsha256 = "{WRONG}"')


def test_all_that_is_wrong_with_a_config_is_told_at_once(project: Project) -> None:
    project.edit('precision = "f32"', 'precision = "f32"\ncolor = "red"')
    project.edit('type = "f32"', "type = 32")
    project.edit('range = "0-255"', 'range = "0-255"\nmean = [1, 2]')
    project.edit('image = "blue"', 'image = "bleu"')
    run = project.doit()
    assert_one_clear_error(
        run, "4 errors", "did you mean", "'color'", "bleu", "nothing was started"
    )
    lines = project.config.read_text().splitlines()
    for start in ('color = "red"', "type = 32", "mean = [1, 2]", 'image = "bleu"'):
        assert f"configs/fixtures/tiny.toml:{lines.index(start) + 1}" in run.output


def test_a_wrong_hash_says_expected_and_found(project: Project) -> None:
    point_model_at(project, "file:tiny.onnx")
    run = project.doit()
    assert_one_clear_error(run, "source-mismatch", WRONG, "FAILED source:tiny.model")
    assert_nothing_half_written(project)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing", ("source-unreachable", "404")),
        ("page", ("source-mismatch", "web page")),
        ("cut", ("source-unreachable",)),
    ],
)
def test_a_server_that_does_not_deliver(
    project: Project, server: str, path: str, words: tuple[str, ...]
) -> None:
    point_model_at(project, f"{server}/{path}")
    assert_one_clear_error(project.doit(), *words, f"{server}/{path}")


def test_a_missing_local_file(project: Project) -> None:
    (project.root / "red.png").unlink()
    assert_one_clear_error(project.doit(), "red.png", "FAILED source:tiny.red")


def test_a_truncated_image(project: Project) -> None:
    photo = project.root / "red.png"
    photo.write_bytes(photo.read_bytes()[:60])
    run = project.doit()
    assert_one_clear_error(run, "error[tensor]", "red.png", "FAILED tensor:tiny.red")
    assert_nothing_half_written(project)
    assert_no_longer_vouched_for(project)


def test_a_truncated_model(project: Project) -> None:
    model = project.root / "tiny.onnx"
    model.write_bytes(model.read_bytes()[:100])
    run = project.doit()
    assert_one_clear_error(run, "error[model]", "The model is damaged", "a field exceeds")
    assert_nothing_half_written(project)


def test_a_model_of_unknown_nodes_shows_the_converters_last_lines(project: Project) -> None:
    model = project.root / "tiny.onnx"
    model.write_bytes(model.read_bytes().replace(b"Flatten", b"Flattex"))
    run = project.doit()
    assert_one_clear_error(run, "error[model]", "Flattex", "  | ")
    assert_nothing_half_written(project)


def test_a_wrong_input_name_lists_those_there_are(project: Project) -> None:
    text = project.config.read_text().replace("inputs.x", "inputs.picture")
    project.config.write_text(text.replace(".x]", ".picture]"))
    assert_one_clear_error(project.doit(), "has no input 'picture'", "x")


def test_an_impossible_shape(project: Project) -> None:
    project.edit("[1, 3, 8, 8]", "[1, 3, 9, 8]")
    assert_one_clear_error(project.doit(), "error[model]", "FAILED ir:tiny")


def test_a_guest_that_does_not_compile(project: Project) -> None:
    source = project.root / "guests/classify/classify.c"
    line = len(source.read_text().splitlines()) + 1
    source.write_text(source.read_text() + "this is not C\n")
    run = project.doit()
    assert_one_clear_error(run, "error[guest-build]", f"guests/classify/classify.c:{line}")


# A guest that does all that it should, and then more.
_INFER = (BUILTIN / "guests/classify/classify.c").read_text().replace(
    "int main(", "#include <unistd.h>\nint more(void);\nint inferred("
) + "\nint main(int n, char **a) { int code = inferred(n, a); return code ? code : more(); }\n"

BROKEN = {
    "traps": ("int main(void) { __builtin_trap(); }", ("guest-failed", "unreachable")),
    "loops for ever": (
        "int main(void) { for (volatile unsigned i = 0;; i++); }",
        ("time-limit", "2 s"),
    ),
    "asks for too much memory": (
        "#include <stdlib.h>\n#include <stdio.h>\n"
        "int main(void) { for (;;) { volatile char *p = malloc(1 << 20); if (!p) { "
        'fputs("no room\\n", stderr); return 1; } p[0] = 1; } }',
        ("guest-failed", "no room", "of the 64 MiB of memory"),
    ),
    "fails": ("int main(void) { return 7; }", ("guest-failed", "exit code 7")),
    "writes nothing": ("int main(void) { return 0; }", ("did not write its output",)),
    "writes zeros": (
        _INFER + "int more(void) { float z[3] = {0}; "
        'const char *n[] = {"out/red-1x3-f32.raw", "out/blue-1x3-f32.raw"}; '
        'for (int i = 0; i < 2; i++) { FILE *f = fopen(n[i], "r+b"); '
        "if (f) { fwrite(z, 4, 3, f); fclose(f); } } return 0; }",
        ("differs from the native inference",),
    ),
    "writes without end": (
        "#include <stdio.h>\nstatic char b[1 << 20];\n"
        'int main(void) { FILE *f = fopen("out/huge", "wb"); '
        "for (;;) if (fwrite(b, 1, sizeof b, f) < sizeof b) return 1; }",
        ("error[storage]", "exceeded its disk limit"),
    ),
    "steers the terminal": (
        '#include <stdio.h>\nint main(void) { fputs("\\x1b[2Jevil\\n", stderr); return 3; }',
        (r"| \x1b[2Jevil",),
    ),
    "leads its report elsewhere": (
        _INFER + 'int more(void) { return symlink("../../../../precious", "out/report.json"); }',
        ("wrote other files than its outputs", "also 'report.json'"),
    ),
    "has one file under two names": (
        _INFER + 'int more(void) { return link("out/red-1x3-f32.raw", "out/blue.raw"); }',
        ("one file under several names",),
    ),
    "writes a file more": (
        _INFER + r'int more(void) { fclose(fopen("out/a\x1b[2J", "w")); return 0; }',
        ("wrote other files than its outputs", r"also 'a\x1b[2J'"),
    ),
    "knows the answer": (
        "#include <stdio.h>\n#include <string.h>\n"
        "int main(int n, char **a) { const unsigned char w[2][12] = {RED, BLUE}; char p[64]; "
        'snprintf(p, 64, "out/%s-1x3-f32.raw", a[1]); FILE *f = fopen(p, "wb"); '
        'fwrite(w[strcmp(a[1], "red") != 0], 1, 12, f); fclose(f); return 0; }',
        ("without a single compute",),
    ),
    "copies the answer of an earlier run": (
        "#include <stdio.h>\n"
        'int main(void) { FILE *f = fopen("fixture/evidence/red/red-1x3-f32.raw", "rb"); '
        "return f ? 0 : 44; }",
        ("exit code 44",),
    ),
    "sleeps": (
        "#include <unistd.h>\nint main(void) { sleep(1000); return 0; }",
        ("error[time-limit]",),
    ),
    "leads out of its folder": (
        "#include <unistd.h>\n"
        'int main(void) { symlink("/etc/hostname", "out/red-1x3-f32.raw"); '
        'symlink("../fixture/red-1x3x8x8-f32.rgb", "out/red-1x3-f32.raw"); return 0; }',
        ("did not write its output",),
    ),
    "imports more than it may": (
        '__attribute__((import_module("env"), import_name("launch"))) int launch(void);\n'
        "int main(void) { return launch(); }",
        ("guest-imports", "env.launch"),
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_guest_that(project: Project, how: str) -> None:
    source, words = BROKEN[how]
    for name, case in (("RED", "red"), ("BLUE", "blue")):
        answer = (project.folder / f"evidence/{case}/{case}-1x3-f32.raw").read_bytes()
        source = source.replace(name, "{" + ",".join(map(str, answer)) + "}")
    (project.root / "guests/classify/classify.c").write_text(source)
    if "time-limit" in words[0]:
        project.edit("seconds = 20", "seconds = 2")
    assert_one_clear_error(project.doit(), *words)
    assert_nothing_half_written(project)
    assert_no_longer_vouched_for(project)


def test_another_top_1_shows_the_five(project: Project) -> None:
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    run = project.doit()
    assert_one_clear_error(run, "error[verify]", "expected: 1", "found:    0", "the top five")
    assert "1 case verified, 1 failed, 1 not run" in run.output
    assert_no_longer_vouched_for(project)


def test_an_ir_that_disagrees_with_its_source_framework(project: Project) -> None:
    # As if the conversion had changed the network: its twin is another by half.
    write_model(project.root / "twin.onnx", scale=0.15)
    project.edit('"onnxruntime"', '"onnxruntime"\nfiles = { model = "twin" }')
    project.edit(
        "[source.red]",
        '[source.twin]\nurls = ["file:twin.onnx"]\nlicense = "Apache-2.0"\n\n[source.red]',
    )
    run = project.doit()
    assert_one_clear_error(
        run, "disagrees with onnxruntime", "× the noise floor", "check inputs, mean, scale"
    )
    assert_no_longer_vouched_for(project)


def test_a_class_that_is_another_is_wrong_whatever_the_precision(project: Project) -> None:
    write_class_model(project.root / "tiny.onnx", classes=3000)
    write_class_model(project.root / "twin.onnx", classes=2990)
    project.edit('"onnxruntime"', '"onnxruntime"\nfiles = { model = "twin" }')
    project.edit('precision = "f32"', 'precision = "f16"')
    for case, top1 in (("red", 0), ("blue", 2)):
        project.edit(f"[expect.{case}]\ntop1 = {top1}", f"[expect.{case}]\ngolden_only = true")
    project.edit(
        "[source.red]",
        '[source.twin]\nurls = ["file:twin.onnx"]\nlicense = "Apache-2.0"\n\n[source.red]',
    )
    run = project.doit("verify:tiny.red")
    assert_one_clear_error(
        run, "disagrees with onnxruntime", "the same integers", "differ at [0", "by up to 10"
    )
    # With the right twin the same numbers are equal.
    write_class_model(project.root / "twin.onnx", classes=3000)
    assert project.doit("verify:tiny.red").returncode == 0


def write_class_model(path: Path, classes: int) -> None:
    """Write a network that gives the last of so many classes: 1x3x8x8 to 1x1 of i64."""
    weights = numpy.zeros((3, classes), numpy.float32)
    weights[:, -1] = 1
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
            helper.make_node("ArgMax", ["scores"], ["y"], axis=1),
        ],
        "classes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, 1])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))


def test_other_fixtures_go_on_building(project: Project) -> None:
    other = project.config.with_name("other.toml")
    other.write_text(project.config.read_text())
    project.edit('urls = ["file:tiny.onnx"]', f'urls = ["file:tiny.onnx"]\nsha256 = "{WRONG}"')
    run = project.doit()
    assert_one_clear_error(run, "FAILED source:tiny.model", "not run ir:tiny")
    assert (project.root / "artifacts/other/manifest.json").exists()


def test_a_full_disk(project: Project) -> None:
    import resource
    import subprocess
    import sys

    big = project.root / "red.png"
    from PIL import Image

    Image.effect_noise((900, 900), 80).save(big)
    done = subprocess.run(
        [sys.executable, "-m", "doit", "source:tiny.red"],
        cwd=project.root,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    run = Run(done.returncode, done.stdout + done.stderr)
    assert_one_clear_error(run, "error[storage]", "source:tiny.red")
    assert_nothing_half_written(project)


def test_an_unknown_task(project: Project) -> None:
    run = project.doit("verify:nothing")
    assert run.returncode != 0
    assert "Traceback" not in run.output


def test_a_folder_where_a_target_belongs(project: Project) -> None:
    xml = project.folder / "tiny.xml"
    xml.unlink()
    xml.mkdir()
    (xml / "mine.txt").write_text("mine")
    assert_one_clear_error(project.doit(), "error[storage]", str(xml), "move it away")
    assert (xml / "mine.txt").exists()


def test_what_a_link_in_place_of_a_target_leads_to_stays(project: Project) -> None:
    precious = project.root / "precious"
    precious.mkdir()
    (precious / "file").write_text("precious")
    (project.folder / "tiny.bin").unlink()
    (project.folder / "tiny.bin").symlink_to(precious / "file")
    shutil.rmtree(project.folder / "evidence/red")
    (project.folder / "evidence/red").symlink_to(precious)
    assert project.doit().returncode == 0
    assert [path.name for path in precious.iterdir()] == ["file"]
    assert (precious / "file").read_text() == "precious"
    assert not (project.folder / "tiny.bin").is_symlink()
    assert not (project.folder / "evidence/red").is_symlink()


def test_steps_in_forked_processes_are_refused(project: Project) -> None:
    project.edit("[10, 20, 30]", "[10, 20, 31]")
    run = project.doit("-P", "process", "-n", "2")
    assert_one_clear_error(run, "error[usage]", "Leave out `-P process`")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no head")
@pytest.mark.parametrize("change", [True, False])
def test_a_reader_that_has_enough_stops_nothing(project: Project, change: bool) -> None:
    if change:
        project.edit("[10, 20, 30]", "[10, 20, 31]")
    command = f"{shlex.quote(sys.executable)} -m doit | head -c 1"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert project.doit().output.startswith("nothing to do")
