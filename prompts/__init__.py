"""Every text that the model or a customer sees, as files, and the loader that checks them.

`prompts/<task>/<language>.md` is one text: YAML front matter (`description`, `variables`), then the
text with `{variable}` slots. `prompts/labels/<set>.<language>.yaml` are short words of a page.
Every task exists in every language, with the same variables; a missing or unused variable is an
error when the program starts, not in a chat.
"""

import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import frontmatter
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "zh")


class PromptError(Exception):
    """A prompt file is missing, malformed, or its variables don't fit its text."""


class _Head(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """One text in one language. `version` is a short hash of it, for the log."""

    task: str
    language: str
    variables: tuple[str, ...]
    template: str
    version: str

    def render(self, **values: str) -> str:
        """Fill the slots. Raises PromptError unless exactly the declared variables are given."""
        if set(values) != set(self.variables):
            raise PromptError(
                f"Prompt {self.task}/{self.language} takes {sorted(self.variables)}, "
                f"not {sorted(values)}."
            )
        return self.template.format(**values)


class Prompts:
    """All texts, loaded and checked once."""

    def __init__(
        self,
        prompts: Mapping[tuple[str, str], Prompt],
        labels: Mapping[tuple[str, str], Mapping[str, str]],
    ) -> None:
        self._prompts = prompts
        self._labels = labels

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "Prompts":
        """Read every file below `folder`.

        Raises PromptError naming the file that is missing a language, has an unknown key in its
        head, or whose variables and slots differ.
        """
        prompts = {}
        for path in sorted(folder.glob("*/*.md")):
            prompt = _read_prompt(path)
            prompts[prompt.task, prompt.language] = prompt
        labels = {}
        for path in sorted(folder.glob("labels/*.yaml")):
            name, _, language = path.stem.partition(".")
            if language not in LANGUAGES:
                raise PromptError(f"Labels {path.name} must be named like {name}.en.yaml.")
            labels[name, language] = _read_labels(path)
        _check_prompts(prompts)
        _check_labels(labels)
        return cls(prompts, labels)

    def get(self, task: str, language: str) -> Prompt:
        """Return the prompt of a task. Raises PromptError when there is none."""
        try:
            return self._prompts[task, language]
        except KeyError:
            raise PromptError(f"There is no prompt {task}/{language}.") from None

    def text(self, task: str, language: str, **values: str) -> str:
        """Return a task's text with its variables filled in."""
        return self.get(task, language).render(**values)

    def labels(self, name: str, language: str) -> Mapping[str, str]:
        """Return the words of a page. Raises PromptError when there are none of that name."""
        try:
            return self._labels[name, language]
        except KeyError:
            raise PromptError(f"There are no labels {name}.{language}.") from None


def _read_prompt(path: Path) -> Prompt:
    try:
        post = frontmatter.loads(path.read_text(encoding="utf-8"))
        head = _Head.model_validate(post.metadata)
        slots = _slots(post.content)
    except ValidationError as err:
        problem = err.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise PromptError(
            f"Prompt {path.parent.name}/{path.name} can't be read: {where}: {problem['msg']}."
        ) from err
    # ValueError: half a slot in the text, or an impossible date in the head.
    except (OSError, yaml.YAMLError, ValueError) as err:
        raise PromptError(f"Prompt {path.parent.name}/{path.name} can't be read: {err}") from err
    if slots != set(head.variables):
        raise PromptError(
            f"Prompt {path.parent.name}/{path.name} declares {sorted(head.variables)} and uses "
            f"{sorted(slots)}."
        )
    digest = hashlib.sha256(post.content.encode()).hexdigest()[:12]
    return Prompt(path.parent.name, path.stem, head.variables, post.content, digest)


def _slots(text: str) -> set[str]:
    slots = set()
    for _, name, form, conversion in string.Formatter().parse(text):
        if form or conversion:
            raise ValueError(f"{{{name}}} must be plain, without '!' or ':'")
        if name is not None:
            slots.add(name)
    return slots


def _read_labels(path: Path) -> Mapping[str, str]:
    try:
        labels = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError) as err:
        raise PromptError(f"Labels {path.name} can't be read: {err}") from err
    if not isinstance(labels, dict) or not all(
        isinstance(text, str) for pair in labels.items() for text in pair
    ):
        raise PromptError(f"Labels {path.name} must be a flat list of names and texts.")
    return labels


def _check_prompts(prompts: Mapping[tuple[str, str], Prompt]) -> None:
    for task in {task for task, _ in prompts}:
        variables = set()
        for language in LANGUAGES:
            if (task, language) not in prompts:
                raise PromptError(f"Prompt {task} is missing in {language!r}.")
            variables.add(frozenset(prompts[task, language].variables))
        if len(variables) > 1:
            raise PromptError(f"Prompt {task} takes other variables in each language.")


def _check_labels(labels: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
    for name in {name for name, _ in labels}:
        keys = [frozenset(labels.get((name, language), {})) for language in LANGUAGES]
        if differing := frozenset.union(*keys) - frozenset.intersection(*keys):
            raise PromptError(f"Labels {name} lack {sorted(differing)} in one language.")
