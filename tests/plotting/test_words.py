"""Labels in plain characters: what the package writes, and what columns are called."""

import pytest

from implicitbias.plotting._words import plain


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (r"$\log_{10}$ loss", "log₁₀ loss"),
        (r"$\tau = \rho_j\, /\, (\alpha |\eta_j|)^L$", "τ = ρⱼ / (α |ηⱼ|)ᴸ"),
        (r"$\beta_{12}$", "β₁₂"),
        ("0\n" + r"($\ell_1$)", "0 (ℓ₁)"),
        (r"$\infty$" + "\n" + r"($\ell_2$)", "∞ (ℓ₂)"),
        (r"$\times\ \mathrm{asinh}\|\beta\|$", "× asinh‖β‖"),
        (r"$10^{-3}$", "10⁻³"),
        (r"$\mathdefault{10^{-300}}$", "10⁻³⁰⁰"),
        (r"$c_L$ and $x^{2/L}$", "c_L and x^(2/L)"),
        (r"$\lambda\log\tau$", "λ log τ"),
        (r"$\frac{1}{2}$ of it", "1/2 of it"),
        (r"$(\log 4\tau - 1)/2$", "(log 4τ − 1)/2"),
        ("price in $", "price in $"),
        ("$1, $2 and $3", "$1, $2 and $3"),
        (r"5\$ a $x$", "5$ a x"),
        ("<b>&", "<b>&"),
        ("", ""),
    ],
)
def test_labels(label, expected):
    assert plain(label) == expected


@pytest.mark.parametrize("label", ["$}{$", "$x_$", "$^$", r"$\frac$", r"$\$", "$x^{$", "$\\"])
def test_broken_mathematics_is_some_text(label):
    assert isinstance(plain(label), str)
