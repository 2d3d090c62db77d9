from importlib import metadata

project = "Vitruvius"
author = "The Vitruvius authors"
release = metadata.version("vitruvius")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# Each object is documented once, in the module that defines it, not where it is re-exported.
autodoc_default_options = {"members": True, "ignore-module-all": True, "show-inheritance": True}
autodoc_member_order = "bysource"
# An `Attributes:` section may describe what is also a property.
napoleon_use_ivar = True
myst_enable_extensions = ["dollarmath"]
# Links to headings of other pages, as they work on the repository's own pages.
myst_heading_anchors = 3

html_theme = "furo"
