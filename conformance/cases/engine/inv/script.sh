#!/bin/sh
cat <<'J'
{"dyn": {"hosts": ["d1", "d2"], "vars": {"gv": "group"}, "children": ["kid"]}, "kid": {"hosts": ["d3"]},
 "_meta": {"hostvars": {"d1": {"hv": 1}, "d2": {"hv": 2}, "d3": {"hv": 3}}}}
J
