"""How Sphinx builds the site. The pages are Markdown, read by MyST."""

from __future__ import annotations

project = "strandlog"
project_copyright = "the strandlog contributors"

extensions = ["myst_parser"]
exclude_patterns = ["_build"]

# Every heading down to this level can be linked to, and a wrong anchor fails.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "fieldlist"]

html_theme = "furo"
html_title = "strandlog"
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
