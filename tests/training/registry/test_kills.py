"""Killed at any point, `current` names a whole bundle, and the next change goes on from there.

The child kills itself with SIGKILL at its k-th access to the folder (an audit hook sees
every open, rename, link and removal), for each k until it lives to the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from features.model_bundle import read_bundle
from tests.training.registry.small_models import ModelMaker
from training.registry.journal import JOURNAL_FILE, Signature, read_journal
from training.registry.layout import list_names, read_champion
from training.registry.listing import list_models
from training.registry.promotion import promote, register, roll_back

ROOT = Path(__file__).resolve().parents[3]
CHILD = """
import os, shutil, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from features.model_bundle import MANIFEST_FILE, load_manifest
from training.bundle_writing import write_bundle
from training.registry.promotion import Signature, promote, register, roll_back

action, template, out, model = sys.argv[1], *map(Path, sys.argv[2:4]), sys.argv[4]
signature = Signature("child", datetime(2026, 1, 9, tzinfo=UTC))

def train(out):
    source = template / model
    manifest = load_manifest(source)
    files = {name: (source / name).read_bytes() for name in manifest.files}
    folder, _ = write_bundle(out, manifest, files)
    register(out, folder.name, signature)

DO = {
    "train": train,
    "promote": lambda out: promote(out, model, signature),
    "rollback": lambda out: roll_back(out, signature),
}

def run(out, k):
    left = k
    def count(event, arguments):
        nonlocal left
        if event.partition(".")[0] not in {"open", "os"} or str(out) not in str(arguments):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    DO[action](out)

for k in range(1, 500):
    own = out / str(k)
    shutil.copytree(out / "before", own, symlinks=True)
    child = os.fork()
    if child == 0:
        try:
            run(own, k)
        except BaseException as error:
            print(error, flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status != signal.SIGKILL:
        print("end", k, os.waitstatus_to_exitcode(status))
        break
"""


def _kill_at_every_access(action: str, template: Path, place: Path, model: str) -> list[Path]:
    """Return the folders as each kill left them; the last one saw no kill."""
    found = subprocess.run(
        [sys.executable, "-c", CHILD, action, str(template), str(place), model],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert found.returncode == 0, found.stderr
    word, k, code = found.stdout.split()
    assert (word, code) == ("end", "0"), found.stdout
    return [place / str(number) for number in range(1, int(k) + 1)]


@pytest.mark.parametrize("action", ["train", "first", "promote", "rollback"])
def test_killed_at_any_access_the_champion_is_whole(
    make_model: ModelMaker,
    tmp_path: Path,
    sign: Callable[..., Signature],
    print_result: Callable[[str], None],
    action: str,
) -> None:
    template, before = tmp_path / "template", tmp_path / "kills" / "before"
    model = make_model(template)
    before.mkdir(parents=True)
    first = ""
    if action != "first":
        first = make_model(before)
        register(before, first, sign(1))
    if action in {"promote", "rollback"}:
        second = make_model(before)
        register(before, second, sign(2))
        model = second
    if action == "rollback":
        promote(before, second, sign(3))
    word = "train" if action == "first" else action
    folders = _kill_at_every_access(word, template, before.parent, model)
    assert len(folders) > 5
    champions = []
    for out in folders:
        champion = read_champion(out)
        champions.append(champion)
        if champion is not None:
            read_bundle(out)
        assert champion is not None or action == "first"
        read_journal(out)  # Its chain is whole.
        for name in list_names(out):
            read_bundle(out / name)
        _go_on(out, make_model, sign)
    expected = {"train": first, "first": model, "promote": model, "rollback": first}[action]
    assert champions[-1] == expected
    print_result(f"registry: {action} killed at {len(folders) - 1} points, champion whole at each")


def _go_on(out: Path, make_model: ModelMaker, sign: Callable[..., Signature]) -> None:
    """Change the champion after a kill: nothing stands in the way, nothing is left behind."""
    champion = read_champion(out)
    new = make_model(out)
    register(out, new, sign(10))
    if champion is not None:
        promote(out, new, sign(11))
        assert roll_back(out, sign(12)).champion == champion
    assert list_models(out).note == ""
    names = {path.name for path in out.iterdir() if not path.name.startswith(".partial-")}
    assert names == {"current", JOURNAL_FILE, *list_names(out)}
