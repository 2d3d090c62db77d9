"""Doctor: what is wrong with an installation, a machine or a run, and what to do about it."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import torch
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from safetensors import SafetensorError, safe_open

from ..bo.result import SearchResult
from ..core.errors import OutputError, UsageError
from ..core.output import check_writable
from ..core.torch_state import own_torch_state
from ..datasets.cache import cache_folder
from ..evaluators import evaluator
from ..generators.resolver import shipped
from ..spaces import Architecture, space
from .finding import Finding, State
from .run_checkup import run_checkup
from .sample import sample
from .search import resume, search

__all__ = ["Finding", "doctor", "skips"]

PACKAGE = __name__.partition(".")[0]
# Extras for those who develop this package.
OWN_EXTRAS = ("test", "docs")
GENERATORS = Path(__file__).parents[1] / "generators" / "pretrained"
# Bytes on a disk below which a run may end for want of room, and will.
LITTLE, NONE = 2e9, 100e6
THREADS = "OMP_NUM_THREADS"
SPACE, BUDGET, MORE = "nasbench201", 8, 10
# A cell that is trained in some seconds.
CELL = (0, 3, 0, 1, 0, 0)


@own_torch_state()
def doctor(
    run: str | Path | None = None, storage: str | None = None, *, quick: bool = False
) -> list[Finding]:
    """Finds what is wrong, each with what to do: with a run, or else with what is installed here.

    Of the installation: versions of Python and packages, extras, threads, devices, disks, trained
    generators that ship, the cache; and at last it samples, searches, resumes and trains on a small
    scale. Of a run: whether its log can be read and its evaluator is there, trials that were left
    behind or evaluated twice, failures, constraints that nothing meets, values that cannot be
    right, noise, stagnation, the best at the end of a range, and whether a predictor knows which is
    better.

    Args:
        run: Folder of a run, with ``storage`` its name there; None for the installation.
        storage: As for `vitruvius.search`.
        quick: Whether to leave out what takes some seconds: the self-test, or of a run the fit of a
            predictor.

    Returns:
        One `Finding` a check or more; what is wrong with a run is never an error.

    Raises:
        UsageError: For a storage without the name of a run.

    Example:
        >>> {finding.state for finding in doctor(quick=True)} <= {"ok", "warning", "problem"}
        True
    """
    if run is not None:
        return run_checkup(run, storage, quick=quick)
    if storage is not None:
        raise UsageError("A storage needs the name of a run.", "Give one before --storage.")
    checks = (_python, _packages, _extras, _threads, _devices, _disks, _generators, _cache)
    found = [finding for check in checks for finding in check()]
    return found if quick else [*found, *_self_test()]


def _python() -> Iterator[Finding]:
    wanted = distribution(PACKAGE).metadata["Requires-Python"]
    here = platform.python_version()
    if SpecifierSet(wanted).contains(here, prereleases=True):
        yield Finding("python", "ok", f"Python {here} is one of {wanted}.")
    else:
        advice = f"Make an environment with a Python {wanted}."
        yield Finding("python", "problem", f"Python {here} is none of {wanted}.", advice)


def _packages() -> Iterator[Finding]:
    needed = _requirements("")
    wrong = _unmet(needed)
    if not wrong:
        told = f"{PACKAGE} {version(PACKAGE)} has the {len(needed)} packages that it needs."
        yield Finding("packages", "ok", told)
    for each, said in wrong:
        yield Finding("packages", "problem", said, f'pip install "{each.name}{each.specifier}"')


def _extras() -> Iterator[Finding]:
    there: list[str] = []
    lacking: list[str] = []
    for extra in distribution(PACKAGE).metadata.get_all("Provides-Extra") or []:
        if extra in OWN_EXTRAS:
            continue
        wrong = _unmet(_requirements(extra))
        (lacking if wrong else there).append(extra)
        for each, said in wrong:
            # Not to have an extra is a choice, to have an old one is none.
            if _version(each.name):
                advice = f'pip install "{PACKAGE}[{extra}]"'
                yield Finding("extras", "warning", f"For {extra}: {said}", advice)
    told = f"There: {', '.join(there) or 'none'}. Not there: {', '.join(lacking) or 'none'}."
    advice = f'If you need one: pip install "{PACKAGE}[{lacking[0]}]"' if lacking else ""
    yield Finding("extras", "ok", told, advice)


def _requirements(extra: str) -> list[Requirement]:
    """What an extra needs, or what is needed without any, on this machine."""
    read = map(Requirement, distribution(PACKAGE).requires or [])
    if not extra:
        return [each for each in read if not each.marker or each.marker.evaluate({"extra": ""})]
    named = [each for each in read if each.marker and "extra" in str(each.marker)]
    return [each for each in named if each.marker and each.marker.evaluate({"extra": extra})]


def _unmet(needed: Sequence[Requirement]) -> list[tuple[Requirement, str]]:
    """Those that are not there in a version that will do, and what is there."""
    wrong = []
    for each in needed:
        here = _version(each.name)
        if here is None:
            wrong.append((each, f"{each.name} is not installed."))
        elif not each.specifier.contains(here, prereleases=True):
            wrong.append((each, f"{each.name} is {here}, and has to be {each.specifier}."))
    return wrong


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _threads() -> Iterator[Finding]:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    threads, said = torch.get_num_threads(), os.environ.get(THREADS)
    told = f"Threads of torch: {threads}; cores: {cores}; {THREADS}: {said or 'not set'}."
    if said and not said.isdecimal():
        advice = f"export {THREADS}={cores}"
        yield Finding("threads", "warning", f"{told} That is no whole number.", advice)
    elif threads > cores:
        advice = f"They wait for each other: export {THREADS}={cores}"
        yield Finding("threads", "warning", told, advice)
    else:
        yield Finding("threads", "ok", told)


def _devices() -> Iterator[Finding]:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
        yield Finding("devices", "ok", f"CUDA: {', '.join(names)}.")
    elif Path("/proc/driver/nvidia/version").exists():
        built = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "is CPU-only"
        yield Finding(
            "devices",
            "warning",
            f"This machine has a driver of NVIDIA, but torch {torch.__version__} {built} and sees "
            "no device.",
            "Install the torch that fits the driver: https://pytorch.org/get-started/locally",
        )
    elif torch.backends.mps.is_available():
        yield Finding("devices", "ok", "The CPU; MPS is there, for those who ask for it.")
    else:
        yield Finding("devices", "ok", "The CPU alone.")


def _disks() -> Iterator[Finding]:
    places = {
        "runs": Path("runs"),
        "the cache": cache_folder(),
        "temporary files": Path(tempfile.gettempdir()),
    }
    for name, folder in places.items():
        there = folder.absolute()
        while not there.exists():
            there = there.parent
        free = shutil.disk_usage(there).free
        told = f"{free / 1e9:,.1f} GB are free for {name} ({folder})."
        state: State = "problem" if free < NONE else "warning" if free < LITTLE else "ok"
        try:
            check_writable(folder)
        except OutputError as error:
            yield Finding("disk", "problem", f"For {name}: {error.message}", error.hint)
        else:
            yield Finding("disk", state, told, "Make room there." if state != "ok" else "")


def _generators() -> Iterator[Finding]:
    """Compares with the hashes that an installed wheel keeps, where there are any."""
    files = sorted(path for path in GENERATORS.rglob("*") if path.is_file())
    kept = {
        Path(str(file.locate())): file.hash.value
        for file in distribution(PACKAGE).files or []
        if file.hash is not None and file.hash.mode == "sha256"
    }
    wrong = [path for path in files if path in kept and _hash(path) != kept[path]]
    wrong += [path for path in kept if GENERATORS in path.parents and not path.exists()]
    weights = [path for path in files if path.suffix == ".safetensors"]
    wrong += [path for path in weights if path not in wrong and not _opens(path)]
    for path in wrong:
        advice = f"pip install --force-reinstall --no-deps {PACKAGE}=={version(PACKAGE)}"
        yield Finding("generators", "problem", f"{path} is damaged or missing.", advice)
    if not wrong:
        same = sum(path in kept for path in files)
        told = f"are as they were packed, by the SHA-256 of {same} files"
        if not same:
            told = "can be opened; this installation keeps no hashes to compare them with"
        yield Finding("generators", "ok", f"The {len(shipped())} that ship {told}.")


def _hash(path: Path) -> str:
    """SHA-256 as the list of an installation's files has it."""
    digest = hashlib.sha256(path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _opens(path: Path) -> bool:
    try:
        with safe_open(path, "pt") as file:
            return len(list(file.keys())) > 0
    except (SafetensorError, OSError):
        return False


def _cache() -> Iterator[Finding]:
    folder = cache_folder()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    told = f"{size / 1e9:,.2f} GB are in {folder}."
    yield Finding("cache", "ok", told, "It may be deleted at any time." if size > LITTLE else "")


def skips(architecture: Architecture) -> float:
    """Counts identities: what the doctor's own search maximises.

    Args:
        architecture: Of NAS-Bench-201.
    """
    return float(str(architecture).count("skip_connect"))


def _self_test() -> Iterator[Finding]:
    """Does a little of everything, from what ships alone."""
    steps: dict[str, Callable[[Path], str]] = {
        "sample": _sample,
        "search": _search,
        "resume": _resume,
        "train": _train,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, step in steps.items():
            began = time.process_time()
            try:
                said = step(Path(folder) / "run")
            # Whatever it is, it is what the doctor was asked to find.
            except Exception as error:
                told = f"{type(error).__name__}: {error}"
                advice = "Mend what stands above; else report this with the output of the doctor."
                yield Finding(f"self-test: {name}", "problem", told, advice)
                continue
            told = f"{said} ({time.process_time() - began:.1f} CPU seconds)."
            yield Finding(f"self-test: {name}", "ok", told)


def _sample(_: Path) -> str:
    return sample(SPACE, target="params<=0.5M", n=3).headline().rstrip(".")


def _search(run: Path) -> str:
    source = f"{__name__}:{skips.__name__}"
    made = search(
        SPACE, evaluator=source, maximize="skips", budget=BUDGET, executor="serial", run=run
    )
    return _said(made)


def _resume(run: Path) -> str:
    return _said(resume(run, budget=MORE))


def _train(_: Path) -> str:
    trained = evaluator(space(SPACE), "digits:epochs=1").evaluate(CELL)
    if not trained.ok:
        raise UsageError(trained.reason)
    return f"digits, one epoch: accuracy {trained.metrics['accuracy']:.2f}"


def _said(found: SearchResult) -> str:
    if found.check().summary["failed"]:
        raise UsageError("; ".join(found.notes))
    return found.headline()
