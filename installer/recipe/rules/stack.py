"""Rules on how layers lie over one another."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator

from installer.recipe.model import Firmware, Recipe
from installer.recipe.rules.rule import rule, rules_in
from installer.recipe.stack import (
    disks_with_table,
    everything_below_strictly,
    exists,
    holder,
    layers,
    root,
    starts_by,
    under_pool,
    uses,
)


@rule(
    reason="Nothing in the recipe has that name.",
    remedy="Name a layer that the recipe describes, or describe this one.",
)
def reference_leads_nowhere(recipe: Recipe) -> Iterator[str]:
    found = list(uses(recipe))
    found += [(f"crypt.{name}.key", crypt.key) for name, crypt in recipe.crypt.items() if crypt.key]
    if starts_by(recipe, Firmware.UEFI):
        found.append(("boot.esp", recipe.boot.esp))
    for place, reference in found:
        if not exists(recipe, reference):
            near = difflib.get_close_matches(reference, layers(recipe), n=1)
            yield f"{place}: there is no {reference}" + (f"; did you mean {near[0]}?" if near else ".")


@rule(reason="A layer cannot be made before the one it lies over.", remedy="Let the lowest layer lie over a partition.")
def layers_in_a_circle(recipe: Recipe) -> Iterator[str]:
    for layer in layers(recipe):
        if layer in everything_below_strictly(recipe, layer):
            yield f"{layer} lies, through other layers, over itself."


@rule(
    reason="Two layers that write to the same device destroy each other's data.",
    remedy="Give each layer a partition of its own.",
)
def layer_used_twice(recipe: Recipe) -> Iterator[str]:
    found = list(uses(recipe))
    if starts_by(recipe, Firmware.UEFI):
        found.append(("boot.esp", recipe.boot.esp))
    found += [("crypt.*.key", key) for key in {crypt.key for crypt in recipe.crypt.values() if crypt.key}]
    places: dict[str, list[str]] = {}
    for place, reference in found:
        places.setdefault(reference, []).append(place)
    for reference, taken in places.items():
        if len(taken) > 1:
            yield f"{reference} is used by {' and by '.join(taken)}."


@rule(
    reason="It would be made and never opened again.",
    remedy="Let a pool, a swap or a mount point use it, or remove it.",
)
def layer_used_by_nobody(recipe: Recipe) -> Iterator[str]:
    used = {reference for _, reference in uses(recipe)} | {crypt.key for crypt in recipe.crypt.values()}
    mounted = {f"raid.{name}" for name, raid in recipe.raid.items() if raid.mount}
    for layer in layers(recipe):
        if layer.startswith(("raid.", "crypt.", "file.")) and layer not in used | mounted:
            yield f"{layer} is used by nothing."


@rule(reason="Names tell devices apart.", remedy="Give each its own name.")
def name_twice(recipe: Recipe) -> Iterator[str]:
    for number in _again(partition.name for partition in recipe.partition):
        yield f'partition[{number}].name: "{recipe.partition[number].name}" stands there twice.'
    for name, pool in recipe.pool.items():
        for number in _again(dataset.name for dataset in pool.dataset):
            yield f'pool.{name}.dataset[{number}].name: "{pool.dataset[number].name}" stands there twice.'
    suffixes = [*recipe.disks, *(str(n) for file in recipe.file.values() for n in range(1, file.count + 1))]
    mappings = Counter(f"{name}-{suffix}" for name in recipe.crypt for suffix in dict.fromkeys(suffixes))
    for mapping, count in mappings.items():
        if count > 1:
            yield f"crypt: two layers would both make a device called {mapping}."


def _again(names: Iterable[str]) -> list[int]:
    seen: set[str] = set()
    return [number for number, name in enumerate(names) if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


@rule(
    reason="Every disk of the recipe is taken whole by some layer, so none gets a partition table.",
    remedy="Add a disk, or let the layers lie over partitions rather than over disk.NAME.",
)
def partitions_on_no_disk(recipe: Recipe) -> Iterator[str]:
    if recipe.partition and not disks_with_table(recipe):
        yield "partition: there is no disk to partition."


@rule(
    reason="The files must lie on a pool of the recipe, and not on the pool that lies over them.",
    remedy="Choose a folder below the mount point of a dataset.",
)
def files_on_no_pool(recipe: Recipe) -> Iterator[str]:
    for name, file in recipe.file.items():
        if not holder(recipe, file.folder):
            yield f"file.{name}.folder: no dataset is mounted at or above {file.folder}."


@rule(
    reason="The machine could not start from it: these devices exist only once the pool under them is imported.",
    remedy="Let the root pool lie over disks, partitions, raid or crypt layers.",
)
def root_on_a_pool(recipe: Recipe) -> Iterator[str]:
    if found := root(recipe):
        below = {
            layer
            for reference in under_pool(recipe, found[0])
            for layer in everything_below_strictly(recipe, reference)
        }
        for layer in sorted(below.union(under_pool(recipe, found[0]))):
            if layer.startswith(("zvol.", "file.")):
                yield f"pool.{found[0]}: the root file system lies over {layer}."


RULES = rules_in(vars())
