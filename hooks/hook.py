"""One event of the client, handed to `stretto.commands.hook`. Run as `python -I -S hook.py EVENT` by hooks/run.

Nothing need be installed: the package is made here, by hand, from the folder around this file. Until the version is
checked this must be Python that any 3.x can read; the launcher takes 86 as "too old, and nothing was read". As little
as can be stands here: Python keeps no byte code of what it is started with, and compiles this each time.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the launcher tries whatever is called python
    sys.exit(86)

import gc
import os

gc.disable()  # a hook is over before there is garbage worth collecting
package = type(sys)("stretto")
package.__path__ = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
sys.modules["stretto"] = package
if os.environ.get("CLAUDE_PLUGIN_DATA"):  # for byte code, too: a plugin's folder is not ours to write
    sys.pycache_prefix = os.path.join(os.environ["CLAUDE_PLUGIN_DATA"], "pycache")
try:
    from stretto.commands.hook import main

    main(sys.argv[1] if len(sys.argv) > 1 else "")
except Exception as error:  # noqa: BLE001 - a plugin that is damaged must not cost anybody their session
    sys.stderr.write("stretto: " + type(error).__name__ + ": " + str(error) + "\n")
try:
    sys.stdout.flush()
    sys.stderr.flush()
finally:
    os._exit(0)  # taking the interpreter down in good order would cost a quarter of its start
