"""Settings of the site: ``sphinx-build -W --keep-going -c docs . site`` (pip install -e '.[docs]').

The source folder is that of the repository, so that a relative link works on the site as it does in a checkout. The
built pages load nothing from elsewhere.
"""

import rrip_format

project = "RRIP"
copyright = "BSD-3-Clause"  # noqa: A001
version = release = rrip_format.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
]

root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "spec/rrip.md",
    "spec/vectors/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
exclude_patterns = [".*", "build", "dist", "rrip_format", "site", "tests", "tools"]

smartquotes = False  # options begin with two hyphens

html_theme = "furo"
html_title = f"RRIP {version}"
html_extra_path = ["_extra"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#5e35b1", "color-brand-content": "#5e35b1"},
    "dark_css_variables": {"color-brand-primary": "#b39ddb", "color-brand-content": "#b39ddb"},
}

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {"NDArray": "NDArray"}
python_maximum_signature_line_length = 88
numpydoc_show_class_members = False
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
