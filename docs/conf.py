"""The documentation's build. Every snippet and script is run; a warning is an error."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import matplotlib

matplotlib.use("Agg")

import implicitbias

project = "implicitbias"
author = "The implicitbias developers"
version = release = implicitbias.__version__
extensions = [
    "docstrings",
    "executed",
    "explorers",
    "mathml",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
html_math_renderer = "mathml"
exclude_patterns = ["_build", "README.md", "gallery/*", "experiments/*", "notebooks/*"]
nitpicky = False
default_role = "math"
keep_warnings = False

autosummary_generate = True
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False

sphinx_gallery_conf = {
    "examples_dirs": ["gallery", "experiments", "notebooks"],
    "gallery_dirs": ["auto_gallery", "auto_experiments", "auto_notebooks"],
    "image_scrapers": ("figures.scraper",),
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "plot_gallery": "True",
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "ignore_repr_types": r"matplotlib\.",  # a cell that ends in a drawing shows the drawing
}

ALONE = ("index", "tutorial", "cheat_sheet", "benchmarks", "faq", "glossary", "bibliography")
html_sidebars = {name: [] for name in ALONE}
html_theme = "pydata_sphinx_theme"
html_title = "implicitbias"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_prev_next": True,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
    "footer_end": [],
}
