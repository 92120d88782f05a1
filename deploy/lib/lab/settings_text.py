"""A settings file for skeind from a dictionary: YAML in the few shapes that skeind takes."""


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _lines(value, indent):
    pad = "  " * indent
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{pad}{key}:"
            yield from _lines(item, indent + 1)
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            yield f"{pad}{key}:"
            for entry in item:
                first, *rest = _lines(entry, indent + 2)
                yield f"{pad}  - {first.lstrip()}"
                yield from rest
        elif isinstance(item, list):
            yield f"{pad}{key}: [{', '.join(map(_scalar, item))}]"
        else:
            yield f"{pad}{key}: {_scalar(item)}"


def to_yaml(settings):
    return "\n".join(_lines(settings, 0)) + "\n"


def merge(into, extra):
    """Lays `extra` over `into`, section by section; None takes a key out."""
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value
    return into


def from_assignments(words):
    """["retry.first=1s"] -> {"retry": {"first": "1s"}}; a value with commas or [] is a list of texts."""
    settings = {}
    for word in words:
        path, equals, value = word.partition("=")
        if not equals:
            raise SystemExit(f"--set wants PATH=VALUE, not {word!r}")
        *sections, key = path.split(".")
        at = settings
        for section in sections:
            at = at.setdefault(section, {})
        at[key] = _typed(value)
    return settings


def _typed(text):
    if text.startswith("[") and text.endswith("]"):
        return [word.strip() for word in text[1:-1].split(",") if word.strip()]
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() and str(int(text)) == text else text
