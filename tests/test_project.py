"""What must hold of the project as a whole: layers, names of packages, an import that is cheap."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SYSTEMS = ROOT / "src" / "symphony" / "systems"
ROOMS = sorted(path.parent.name for path in SYSTEMS.glob("*/system.py"))
HEAVY = ("torch", "music21", "symusic", "librosa", "matplotlib", "scipy", "pretty_midi")


def test_imports_run_downwards():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "code", ["import symphony", "from symphony import systems; systems.names()"]
)
def test_what_must_be_quick_loads_nothing_heavy(code):
    code += f"; import sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_had():
    import symphony

    assert {"Song", "load", "load_corpus", "train"} <= set(symphony.__all__)
    packages = "codecs", "corpora", "evaluation", "experiments", "live", "rendering", "training"
    for module in (symphony, *(import_module(f"symphony.{package}") for package in packages)):
        for name in module.__all__:
            assert getattr(module, name) is not None
    for name in ("SHIPPED", "load", "load_snapshots", "names", "recipe", "shipped",
                 "system", "train"):  # fmt: skip
        assert getattr(symphony.systems, name) is not None


def imported(path):
    """Modules that a file imports, each with the names it takes from them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT / "src").parts[: -node.level] if node.level else ()
            base = ".".join([*package, *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def test_a_room_knows_no_other_rooms_system():
    assert len(ROOMS) >= 7
    for room in ROOMS:
        for path in (SYSTEMS / room).glob("*.py"):
            others = {
                found[1]
                for name in imported(path)
                if (found := re.match(r"symphony\.systems\.(\w+)\.system\b", name))
            } - {room}
            assert others <= ({"char_rnn"} if room == "conditional_char_rnn" else set()), path


def test_the_engine_names_no_system():
    from symphony import systems

    names = {*ROOMS, *systems.names()} - {"uniform", "unigram"}
    trees = [ast.parse(path.read_text()) for path in SYSTEMS.glob("*/*.py")]
    classes = {n.name for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}
    either = [f"(?i:{re.escape(name)})" for name in sorted(names)] + sorted(classes)
    words = re.compile(rf"\b({'|'.join(either)})\b")
    for path in (ROOT / "src" / "symphony" / "training").glob("*.py"):
        assert not (found := words.search(path.read_text())), f"{path}: {found[0]}"


def test_the_conda_environment_installs_the_same_project():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (python,) = [d for d in environment["dependencies"] if str(d).startswith("python")]
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert python.split("=")[1] in project["requires-python"]
    assert "-c constraints.txt" in pip
    extras = next(line for line in pip if line.startswith("-e"))
    assert set(extras.split("[")[1].rstrip("]").split(",")) <= set(project["optional-dependencies"])


def test_constraints_pin_every_package_the_project_names():
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for line in (line for group in groups for line in group):
        name = line.split(">")[0].split("=")[0].split("[")[0].lower().replace("_", "-")
        assert name in pinned | {"setuptools"}, name
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text()


def test_constraints_pin_versions_and_nothing_else():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[\w.-]+==[\w.]+", line), line  # no address, path or local build


def test_one_setting_names_the_repository_and_all_links_follow_it():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    repository = config["sphinx"]["config"]["symphony_repository"]
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CITATION.cff")]
    for path in [*pages, *(ROOT / "notebooks").glob("*.ipynb")]:
        for named in re.findall(r"github\.com/([\w-]+/deep-[\w-]+)", path.read_text()):
            assert named == repository, path


def test_the_readme_shows_what_exists():
    for name in ("README.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
            assert link.startswith("https:") or (ROOT / link).is_file(), link
    readme, targets = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)", readme):
        assert re.search(rf"(?m)^{target}:", targets), target


def test_the_table_of_contents_names_files_that_exist():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    for name in [toc["root"], *(chapter["file"] for chapter in toc["chapters"])]:
        assert any((ROOT / f"{name}{end}").is_file() for end in (".md", ".ipynb")), name
    chapters = {p.stem for p in (ROOT / "notebooks").glob("*.ipynb")}
    listed = {Path(chapter["file"]).name for chapter in toc["chapters"]}
    assert chapters <= listed
