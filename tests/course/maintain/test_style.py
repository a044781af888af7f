"""ruff and mypy complain in lines, each with its place; where they are not installed nobody needs them."""

import shutil
from importlib.metadata import PackageNotFoundError

import pytest

from grading.maintain import consistency, style

MODULE = '"""A module."""\n\n\ndef half(n: int) -> int:\n    return {}\n'


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Of one module that says something, with this one's settings."""
    if lacking := [str(pin) for pin in style.pins().values() if not style.here(pin)]:
        pytest.skip(f"{' and '.join(lacking)} not installed: pip install -r {style.TOOLS}")
    for name in ("pyproject.toml", style.TOOLS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(style.ROOT / name, tmp_path / name)
    (tmp_path / "starter/support").mkdir(parents=True)
    for folder in ("grading", "starter", "starter/support"):
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "grading/half.py").write_text(MODULE.format("n // 2"))
    monkeypatch.setattr(style, "ROOT", tmp_path)
    return tmp_path


def test_code_in_order_has_no_complaint(repository):
    assert [*style.style_is_kept(), *style.types_agree()] == []


def test_a_complaint_of_ruff_is_one_line_with_its_place(repository):
    (repository / "grading/half.py").write_text("import os\n" + MODULE.format("n // 2"))
    assert ["grading/half.py:1:8:", "F401"] in [line.split()[:2] for line in style.style_is_kept()]


def test_code_in_another_format_is_one_line_with_its_place(repository):
    (repository / "grading/half.py").write_text(MODULE.format("n  //  2"))
    (line,) = style.style_is_kept()
    assert line.startswith("grading/half.py:") and "format" in line


def test_a_complaint_of_mypy_is_one_line_with_its_place(repository):
    (repository / "grading/half.py").write_text(MODULE.format("str(n)"))
    (line,) = style.types_agree()
    assert line.startswith("grading/half.py:5: error: Incompatible return value type")


def test_a_tool_that_does_not_get_as_far_as_the_code_says_why(repository):
    (repository / "pyproject.toml").write_text("[tool.ruff\n")
    assert [line.split(":")[0] for line in style.style_is_kept()] == ["ruff", "ruff"]


@pytest.mark.parametrize("version", [None, "0.1.0"])
def test_where_a_tool_is_not_installed_or_is_another_one_a_line_says_so_and_nothing_fails(version, monkeypatch, capsys):
    def of(package):
        if version is None:
            raise PackageNotFoundError(package)
        return version

    monkeypatch.setattr(style, "version", of)
    assert [consistency.said(check, ()) for check in (style.style_is_kept, style.types_agree)] == [0, 0]
    for line, (name, tool) in zip(
        capsys.readouterr().out.splitlines(), {"style is kept": "ruff", "types agree": "mypy"}.items()
    ):
        assert line == f"--  {name}: left out, {style.pins()[tool]} is not installed: `pip install -r {style.TOOLS}`"


def test_make_check_passes_complaints_on(repository, capsys):
    (repository / "grading/half.py").write_text("import os\n" + MODULE.format("str(n)"))
    assert consistency.said(style.types_agree, ()) == 1
    assert "    grading/half.py:6: error: " in capsys.readouterr().err
    assert (
        style.style_is_kept in consistency.REPOSITORY.of_course
        and style.types_agree in consistency.REPOSITORY.of_course
    )
