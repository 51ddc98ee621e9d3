"""Bytes that a program read from files below a directory: read_bytes.py STRACE-LOG DIRECTORY

The log is of `strace -f -y -e trace=read,pread64,readv,preadv,preadv2,mmap,copy_file_range,sendfile`: the kernel's word.
Prints the sum. A file that was mapped, or copied by the kernel, is counted as a mistake of this measure: exit status 1.
"""
import re
import sys

total = 0
inside = re.escape(sys.argv[2].rstrip("/")) + "/"
call = re.compile(r"(\w+)\((?:[^<]*)<" + inside + r"[^>]*>.* = (\d+)")
with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
    for line in log:
        found = call.search(line)
        if not found:
            continue
        if found[1] not in ("read", "pread64", "readv", "preadv", "preadv2"):
            sys.exit("%s of a file below %s" % (found[1], sys.argv[2]))
        total += int(found[2])
print(total)
