"""Sphinx settings of the documentation site; `make test` copies docs/, adds the reference and builds it.

A warning fails the build, and nothing is fetched: so no inventories of other projects, and no complaint about
references into Ansible's own documentation.
"""

from __future__ import annotations

project = "netcert.ndes"
title = html_short_title = project
copyright = "The netcert.ndes contributors"  # noqa: A001  the name that Sphinx reads

extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3

html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_use_index = False
html_copy_source = False
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
default_role = "any"

intersphinx_mapping: dict[str, object] = {}
suppress_warnings = ["ref.ref"]
