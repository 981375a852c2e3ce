"""The program: found, called, and its errors told."""

import os
import stat

import nets
import pytest
from same import assert_unchanged, snapshot

import locp
from locp.binary import flags


def program(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_flags():
    found = flags({"min_share": 0.5, "freeze": ["a*", "b"], "prune_residual": True, "calib": None, "strict": False})
    assert found == ["--min-share=0.5", "--freeze=a*", "--freeze=b", "--prune-residual"]


def test_argument_before_variable_before_path(tmp_path, monkeypatch):
    paths = []
    for name in ("argument", "variable", "path"):
        (tmp_path / name).mkdir()
        paths.append(str(program(tmp_path / name / "locp", "true")))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert locp.find_binary() == paths[2]
    monkeypatch.setenv("LOCP_BIN", paths[1])
    assert locp.find_binary() == paths[1]
    assert locp.find_binary(paths[0]) == paths[0]


@pytest.mark.parametrize("how", ["argument", "variable", "path"])
def test_no_program(how, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    if how == "variable":
        monkeypatch.setenv("LOCP_BIN", str(tmp_path / "none"))
    model = nets.lively(nets.Chain)
    before = snapshot(model)
    with pytest.raises(locp.BinaryNotFound, match="cargo install --locked --path locp-cli"):
        locp.prune(model, nets.example(), "0.7x", binary=tmp_path / "none" if how == "argument" else None)
    assert_unchanged(model, before)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "script, kind, says",
    [
        ("echo oh no >&2; exit 3", "no-result", "oh no"),
        ("echo '[]'", "no-result", "no JSON"),
        ("echo 'locp 9'", "no-result", "no JSON"),
        ("kill -9 $$", "killed", "signal 9"),
        ("""echo '{"schema": "locp.error/1", "kind": "odd", "message": "it rains"}'; exit 2""", "odd", "it rains"),
    ],
)
def test_programs_that_fail(script, kind, says, tmp_path):
    with pytest.raises(locp.CommandError) as error:
        locp.run("doctor", binary=program(tmp_path / "locp", script))
    assert error.value.kind == kind and says in str(error.value)


def test_a_program_of_another_release(tmp_path):
    with pytest.raises(locp.CommandError, match="same release") as error:
        locp.Report({"schema": "locp.prune/2"})
    assert error.value.kind == "schema"


def test_what_cannot_be_run(tmp_path):
    path = program(tmp_path / "locp", "")
    path.write_bytes(b"\x7fELF nonsense")
    with pytest.raises(locp.BinaryNotFound, match="cannot be run"):
        locp.run("doctor", binary=path)


@pytest.mark.parametrize(
    "options, error, kind",
    [
        (dict(latency="0.01x"), locp.Refused, "infeasible"),
        (dict(latency="soon"), locp.CommandError, "budget"),
        (dict(latency="0.7x", engine="abacus"), locp.CommandError, "unknown-engine"),
        (dict(latency="0.7x", freez="conv*"), locp.CommandError, "usage"),
        (dict(latency="0.7x", freeze=["nothing*"]), locp.CommandError, "no-match"),
        (dict(latency="0.7x", extra=["--planner", "prophet"]), locp.CommandError, "usage"),
    ],
)
def test_the_programs_own_errors(options, error, kind, simulated, tmp_path):
    model = nets.lively(nets.Residual)
    before = snapshot(model)
    with pytest.raises(error) as found:
        locp.prune(model, nets.example(), save_to=tmp_path / "kept", **{**simulated, **options})
    assert found.value.kind == kind and found.value.message, found.value
    assert found.value.exit_code == (1 if error is locp.Refused else 2)
    assert ("SIMULATED" in str(found.value)) == (error is locp.Refused)
    assert_unchanged(model, before)
    assert not (tmp_path / "kept").exists()


def test_a_folder_that_cannot_be_written(simulated, tmp_path):
    (tmp_path / "file").write_text("")
    model = nets.lively(nets.Residual)
    before = snapshot(model)
    with pytest.raises(OSError):
        locp.prune(model, nets.example(), "0.7x", save_to=tmp_path / "file", **simulated)
    assert_unchanged(model, before)


def test_files_alone(simulated, tmp_path):
    """Planning and pruning files needs no module."""
    locp.export(nets.lively(nets.Chain), nets.example(), tmp_path / "dense.onnx")
    plan = locp.plan_onnx(tmp_path / "dense.onnx", "0.7x", **simulated)
    same, report = locp.prune_onnx(tmp_path / "dense.onnx", tmp_path / "pruned.onnx", "0.7x", **simulated)
    assert plan.simulated and same.groups == plan.groups
    assert (tmp_path / "pruned.onnx").exists() and report.pruned_ms < report.dense_ms
    low, high = report.ratio_interval
    assert low <= report.ratio <= high
