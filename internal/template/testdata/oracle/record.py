"""Writes the answers of ansible-core behind the expressions of case files.

    python3 record.py NAME.txt...

A case is an expression on one line. The line behind it is written by this
program: "=> " and the value as Python prints it, or "!! " and the error. Lines
"differs: " and "why: " behind those are ours and are kept, as are comments.
Variables stand in vars.yml, files that lookups read in files/.
"""
import os
import sys
import types

here = os.path.dirname(os.path.abspath(__file__))
os.environ.update(ANSIBLE_JINJA2_NATIVE="1", ANSIBLE_DEPRECATION_WARNINGS="0", ANSIBLE_LOCALHOST_WARNING="0", TZ="UTC", HOME="/root")
for name in ("LC_ALL", "LANG"):
    os.environ[name] = "C.UTF-8"

from ansible.parsing.dataloader import DataLoader
from ansible.plugins import loader as plugins
from ansible.template import Templar
from jinja2 import Undefined

if hasattr(plugins, "init_plugin_loader"):
    plugins.init_plugin_loader()

names = [os.path.abspath(n) for n in sys.argv[1:]]
loader = DataLoader()
loader.set_basedir(os.path.join(here, "files"))
os.chdir(os.path.join(here, "files"))
variables = loader.load_from_file(os.path.join(here, "vars.yml"))
variables["ansible_search_path"] = [os.path.join(here, "files")]


def plain(value):
    """What a template would see when it runs through the value."""
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, (types.GeneratorType, map, filter, zip)):
        return [plain(x) for x in value]
    if type(value).__name__ in ("dict_keys", "dict_values", "dict_items", "Markup"):
        return str(value) if isinstance(value, str) else [plain(x) for x in value]
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if type(value) in (list, tuple) or type(value).__name__ == "AnsibleSequence":
        return (tuple if isinstance(value, tuple) else list)(plain(x) for x in value)
    if isinstance(value, str):
        return str(value)
    return value


def answer(source):
    templar = Templar(loader=loader, variables=variables)
    try:
        # in a list, so that text which looks like data stays text
        value = plain(templar.template("{{ [" + source + "] }}", convert_data=False, fail_on_undefined=True)[0])
        return "=> " + repr(value).replace(here, "ORACLE")
    except Exception as e:
        return "!! " + str(e).replace("\n", " ").replace(here, "ORACLE")[:300]


for name in names:
    out = []
    with open(name) as f:
        for line in f.read().split("\n"):
            if line.startswith(("=> ", "!! ")):
                continue
            out.append(line)
            if line and not line.startswith(("#", "differs: ", "why: ")):
                out.append(answer(line))
    with open(name, "w") as f:
        f.write("\n".join(out))
