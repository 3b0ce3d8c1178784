r"""Labels with matplotlib's mathematics in plain characters: "$\log_{10}$ loss", "log₁₀ loss"."""

from __future__ import annotations

import re
import unicodedata

SIGNS = {
    "infty": "∞", "ell": "ℓ", "times": "×", "cdot": "·", "circ": "∘", "approx": "≈", "sim": "~",
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "to": "→", "rightarrow": "→",
    "pm": "±", "in": "∈", "sum": "∑", "prod": "∏", "int": "∫", "partial": "∂", "nabla": "∇",
    "sqrt": "√", "top": "⊤", "langle": "⟨", "rangle": "⟩", "ldots": "…", "dots": "…",
    "varepsilon": "ε", "lambda": "λ", "Lambda": "Λ", "|": "‖", ",": " ", ";": " ", " ": " ",
    ":": " ", "!": "", "quad": " ", "qquad": " ",
}  # fmt: skip
# how letters look, which plain characters do not say
LOOKS = {
    *("mathrm", "mathcal", "mathbf", "mathit", "mathsf", "mathtt", "mathdefault", "mathregular"),
    *("text", "rm", "bf", "it", "cal", "operatorname"),
    *("left", "right", "bar", "hat", "tilde", "dot", "ddot", "overline", "vec"),
}
BELOW = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
ABOVE = str.maketrans(
    "0123456789+-−=()inABDEGHIJKLMNOPRTUVW", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁱⁿᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂ"
)
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)


def plain(label: str) -> str:
    """A label in characters, on one line; dollars that open no mathematics are kept."""
    pieces = re.split(r"(?<!\\)\$", label)
    if len(pieces) % 2 == 0:  # as matplotlib has it: an odd number of dollars is none of it
        pieces = [label]
    text = "".join(
        _mathematics(piece) if k % 2 else piece.replace(r"\$", "$")
        for k, piece in enumerate(pieces)
    )
    return " ".join(text.split())


def _mathematics(tex: str) -> str:
    tokens = TOKEN.findall(tex)
    tokens.reverse()
    return "".join(_atoms(tokens, ""))


def _atoms(tokens: list[str], end: str) -> list[str]:
    """The atoms before the token ``end``, which is taken off, too."""
    found: list[str] = []
    while tokens:
        if tokens[-1] == end:
            tokens.pop()
            break
        scripted = tokens[-1] in "_^"
        atom = _atom(tokens)
        if found and not scripted and _apart(found[-1], atom):
            atom = f" {atom}"
        found.append(atom)
    return found


def _apart(before: str, after: str) -> bool:
    """Whether one of two neighbours is a function's name, which would run into the other."""
    named = any(len(each) > 1 and each.isalpha() for each in (before.strip(), after))
    return named and before[-1:].isalnum() and after[:1].isalnum()


def _atom(tokens: list[str]) -> str:
    token = tokens.pop()
    if token == "{":
        return "".join(_atoms(tokens, "}"))
    if token in "_^":
        while tokens and tokens[-1] == " ":
            tokens.pop()
        return _script(_atom(tokens) if tokens else "", token)
    if token == "-":
        return "−"
    if not token.startswith("\\"):
        return token
    if token in (r"\frac", r"\dfrac"):
        above, below = (_atom(tokens) if tokens else "" for _ in range(2))
        return f"{above}/{below}"
    return _command(token[1:])


def _command(name: str) -> str:
    if name in LOOKS:
        return ""
    case = "SMALL" if name[:1].islower() else "CAPITAL"
    try:
        letter = unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
    except KeyError:
        return SIGNS.get(name, name)
    return letter


def _script(text: str, mark: str) -> str:
    """An index or a power, in small characters where all of them are there."""
    table = BELOW if mark == "_" else ABOVE
    if all(ord(letter) in table for letter in text):
        return text.translate(table)
    return f"{mark}{text}" if len(text) == 1 else f"{mark}({text})"
