"""Imports point one way: edges know the core, the core knows no edges."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("bot", "adapters", "prompts", "serving", "examples", "tests")
COMPOSITION = {"bot.app", "bot.channels", "bot.__main__"}
ASSEMBLE = {"bot.app", "bot.channels", "bot.__main__", "bot.cli.articles", "bot.doctor"}
MAY_IMPORT_SERVING = {
    "bot.app",
    "bot.__main__",
    "bot.console",
    "bot.doctor",
    "bot.model_server",
}
SHARED = {"adapters.admin": ("adapters.web.",)}
COMMON = ("adapters.rendering.", "adapters.presence.", "adapters.pacing.")


def modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


def imports(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.partition(".")[0] in OURS}


ALL = {name: imports(path) for package in OURS[:4] for name, path in modules(package)}


def offenders(
    package: str, forbidden: str, *, but: set[str] | None = None
) -> list[tuple[str, str]]:
    return [
        (name, imported)
        for name, found in ALL.items()
        if name.partition(".")[0] == package and name not in (but or set())
        for imported in sorted(found)
        if imported == forbidden or imported.startswith(f"{forbidden}.")
    ]


def test_that_the_walk_sees_the_imports() -> None:
    assert "bot.messages" in ALL["bot.ports"]
    assert "bot.app" in ALL["bot.__main__"]
    assert len(ALL) > 50


@pytest.mark.parametrize(
    ("package", "forbidden", "but"),
    [
        pytest.param("bot", "adapters", {"bot.app", "bot.channels"}, id="bot-adapters"),
        pytest.param("bot", "serving", MAY_IMPORT_SERVING, id="bot-serving"),
        pytest.param("adapters", "serving", set(), id="adapters-serving"),
        pytest.param("serving", "bot", set(), id="serving-bot"),
        pytest.param("serving", "adapters", set(), id="serving-adapters"),
        pytest.param("serving", "prompts", set(), id="serving-prompts"),
        pytest.param("prompts", "bot", set(), id="prompts-bot"),
        pytest.param("prompts", "adapters", set(), id="prompts-adapters"),
        pytest.param("prompts", "serving", set(), id="prompts-serving"),
        pytest.param("bot", "bot.app", ASSEMBLE, id="nobody-imports-app"),
        pytest.param("bot", "bot.channels", ASSEMBLE, id="nobody-imports-channels"),
        pytest.param("bot", "bot.frontdesk", ASSEMBLE, id="nobody-imports-frontdesk"),
        pytest.param("adapters", "bot.app", set(), id="adapters-app"),
        pytest.param("adapters", "bot.frontdesk", set(), id="adapters-frontdesk"),
        *(
            pytest.param(package, module, set(), id=f"{package}-{module}")
            for package in OURS[:4]
            for module in ("tests", "examples", "bot.__main__")
        ),
    ],
)
def test_that_no_module_imports_what_its_layer_may_not(
    package: str, forbidden: str, but: set[str]
) -> None:
    assert offenders(package, forbidden, but=but) == []


def test_that_an_adapter_knows_no_other_adapter() -> None:
    """But what they share, and the admin pages, which the web application carries."""
    wrong = []
    for name, found in ALL.items():
        if not name.startswith("adapters."):
            continue
        own = ".".join(name.split(".")[:2])
        allowed = (f"{own}.", *COMMON, *SHARED.get(own, ()))
        others = {other for other in found if other.startswith("adapters.")}
        wrong += [(name, other) for other in others if not f"{other}.".startswith(allowed)]

    assert wrong == []


def test_that_platform_libraries_stay_at_the_edges() -> None:
    platform = {"telegram", "slack_bolt", "slack_sdk", "starlette", "jinja2"}
    found = set()
    for name, path in modules("bot"):
        if name in COMPOSITION:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {(name, n) for n in names if n.partition(".")[0] in platform}

    assert found == set()
