"""What ``pipeline layouts`` says of joint layouts."""

from collections.abc import Iterator

from pipeline.errors import ManifestError
from recognizer.skeletons import LAYOUTS, Layout, find_layout, installed_layouts


def known_layouts() -> Iterator[Layout]:
    """The built-in layouts, then those of installed packages."""
    yield from LAYOUTS.values()
    yield from map(layout_named, installed_layouts())


def layout_named(name: str) -> Layout:
    """The layout that a name or a YAML file means. Raises ManifestError."""
    try:
        return find_layout(name)
    except ValueError as error:
        raise ManifestError(str(error)) from error


def joints_of(layout: Layout) -> list[tuple[str, str, str, str]]:
    """For each joint its number, its name, the joints that it has limbs to, and the one that it mirrors."""
    limbs: list[list[str]] = [[] for _ in layout.joints]
    for a, b in layout.edges:
        limbs[a].append(layout.joints[b])
        limbs[b].append(layout.joints[a])
    mirrored = ["" if other == i else layout.joints[other] for i, other in enumerate(layout.flip)]
    return [(str(i), joint, ", ".join(limbs[i]), mirrored[i]) for i, joint in enumerate(layout.joints)]


def conversions(layout: Layout) -> list[str]:
    """How many joints of each built-in layout this one has, for people; none of its own."""
    others = [other for other in LAYOUTS.values() if other != layout]
    return [f"{other.name} ({other.count - len(layout.lacks(other.joints))} of {other.count})" for other in others]
