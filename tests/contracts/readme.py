#!/usr/bin/env python3
"""readme.py COMMAND README: the README's table of options is the one that the command makes."""
import re
import subprocess
import sys

made = subprocess.run([sys.argv[1], "--options-markdown"], check=True, capture_output=True, text=True).stdout.strip()
text = open(sys.argv[2]).read()
found = re.search(r"<!-- options -->\n(.*?)\n<!-- /options -->", text, re.S)
if not found or found.group(1).strip() != made:
    print("The table between <!-- options --> and <!-- /options --> should be:\n\n" + made)
    sys.exit(1)
