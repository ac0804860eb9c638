"""Fingerprints of files that refer to each other, known before any of them is rewritten.

The fingerprint of a file that names no other is its SHA-256. That of one that does covers its own bytes
and the fingerprints of what it names, so that it changes with anything its rewritten form depends on. Files
that name each other in a circle share one over all of them (docs/adr/0068).
"""

import hashlib
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from apps.releases.manifest.names import choose_fingerprint

VERSION = 1
"""Count it up when the same files are to be found, named or written otherwise: all are then made anew."""

_HEAD = f"assetsite fingerprint {VERSION}\n".encode()


@dataclass(frozen=True, slots=True)
class Node:
    """A file: its own SHA-256 in hex, and the paths whose fingerprints its rewritten form depends on."""

    digest: str
    targets: tuple[str, ...] = ()


def fingerprints(nodes: Mapping[str, Node], known: dict[str, str]) -> dict[str, str]:
    """Return the fingerprint of each node, "" where its name takes none.

    `known` has those of targets that are no nodes; what is in neither has none.
    """
    found: dict[str, str] = {}
    for circle in circles({path: node.targets for path, node in nodes.items()}):
        digest = _digest(circle, nodes, ChainMap(found, known))
        for path in circle:
            found[path] = choose_fingerprint(path, digest)
    return found


def _digest(circle: list[str], nodes: Mapping[str, Node], known: Mapping[str, str]) -> str:
    if len(circle) == 1 and not nodes[circle[0]].targets:
        return nodes[circle[0]].digest
    is_alone = len(circle) == 1
    digest = hashlib.sha256(_HEAD)
    for path in sorted(circle):
        # Alone, a file's own path counts for nothing: the same bytes that name the same are the same.
        digest.update(f"{'' if is_alone else path}\n{nodes[path].digest}\n".encode())
        for target in sorted(set(nodes[path].targets)):
            digest.update(f" {target}\n {known.get(target, '')}\n".encode())
    return digest.hexdigest()


def circles(edges: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Yield the strongly connected components of a graph, each after those that it leads to.

    Tarjan's algorithm (1972) with a stack of its own, since a chain of imports may be long.
    """
    walk = _Walk(edges)
    for root in edges:
        yield from walk.circles_from(root)


class _Walk:
    """A walk through a graph, depth first: when each path was met, and how far back it leads."""

    def __init__(self, edges: Mapping[str, Sequence[str]]) -> None:
        self._edges = edges
        self._order: dict[str, int] = {}
        self._earliest: dict[str, int] = {}
        self._open: dict[str, None] = {}

    def circles_from(self, root: str) -> Iterator[list[str]]:
        if root in self._order:
            return
        trail = [(root, self._enter(root))]
        while trail:
            path, targets = trail[-1]
            if (target := self._next_new(path, targets)) is not None:
                trail.append((target, self._enter(target)))
                continue
            trail.pop()
            if trail:
                self._reach(trail[-1][0], self._earliest[path])
            if self._earliest[path] == self._order[path]:
                yield self._close(path)

    def _enter(self, path: str) -> Iterator[str]:
        self._order[path] = self._earliest[path] = len(self._order)
        self._open[path] = None
        return iter(self._edges[path])

    def _next_new(self, path: str, targets: Iterator[str]) -> str | None:
        for target in targets:
            if target in self._edges and target not in self._order:
                return target
            if target in self._open:
                self._reach(path, self._order[target])
        return None

    def _reach(self, path: str, number: int) -> None:
        self._earliest[path] = min(self._earliest[path], number)

    def _close(self, path: str) -> list[str]:
        circle: list[str] = []
        while not circle or circle[-1] != path:
            circle.append(self._open.popitem()[0])
        return circle
