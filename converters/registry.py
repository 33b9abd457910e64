"""What packages add by entry points: families, tasks and backends, one registry for each.

A package adds an entry by a line in its metadata, and no file here changes. Naming the entries imports nothing; an
entry's module is imported when the entry is asked for.
"""

from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from sealbench.converters.errors import RegistryError

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """The entries of one entry-point group.

    Args:
        group: of the entry points, like `sealbench.backends`.
        kind: what an entry is, for messages, like `backend`.
        protocol: the `Protocol` whose methods and properties every entry has.
    """

    def __init__(self, group: str, kind: str, protocol: type):
        self._group = group
        self._kind = kind
        self._members = list(vars(protocol))
        self._loaded: dict[str, Part] = {}

    def names(self) -> tuple[str, ...]:
        """Of every installed entry, in alphabetical order; imports none of them."""
        return names_of_group(self._group)

    def get(self, name: str) -> Part:
        """The entry of that name, imported when it is first asked for.

        Raises:
            RegistryError: no package provides it, two do, or it cannot be imported or is no such part.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    @cached_property
    def _points(self) -> Mapping[str, list[EntryPoint]]:
        points: dict[str, list[EntryPoint]] = {}
        for point in sorted(entry_points(group=self._group), key=lambda point: point.name):
            points.setdefault(point.name, []).append(point)
        return points

    def _load(self, name: str) -> Part:
        points = self._points.get(name)
        if points is None:
            known = ", ".join(self.names())
            raise RegistryError(
                f"no installed package provides the {self._kind} {name!r}; known: {known or 'none'}; install the "
                f"package that has it in its entry points {self._group!r}"
            )
        packages = sorted({_package(point) for point in points})
        if len(points) > 1:
            raise RegistryError(
                f"the {self._kind} {name!r} is provided by {' and by '.join(packages)}; uninstall all but one"
            )
        (point,), (package,) = points, packages
        remedy = f"install a version of {package} that fits this one of sealbench, or uninstall it"
        try:
            part: Any = point.load()
        except Exception as error:  # whatever a foreign module raises while it is imported
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise RegistryError(
                f"the {self._kind} {name!r} of the package {package} cannot be loaded ({reason}); {remedy}"
            ) from error
        missing = [member for member in self._members if not member.startswith("_") and not _has(part, member)]
        if missing:
            raise RegistryError(
                f"the {self._kind} {name!r} of the package {package} has no {', '.join(missing)}; {remedy}"
            )
        loaded: Part = part
        return loaded


def _has(part: object, member: str) -> bool:
    """Whether it has that member; a property of its class is not asked for its value, which may take long."""
    return hasattr(type(part), member) or hasattr(part, member)


def names_of_group(group: str) -> tuple[str, ...]:
    """Names of the installed entry points of a group, in alphabetical order; imports none of them."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def _package(point: EntryPoint) -> str:
    """Name and version of the package that an entry comes with."""
    return "an unnamed package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
