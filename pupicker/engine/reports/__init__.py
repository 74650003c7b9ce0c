"""Pages in HTML, from the templates in ``templates/``.

``provenance`` (where it comes from), ``png`` (small files), ``html`` (the page), ``sections`` and ``figures`` (what
both kinds show), ``plots``; ``training``, ``picking``.
"""
