"""A copy of the golden repository that is changed and put right again, as copying it for each of some hundred cases takes
longer than all that is done with them.

    copy = Copy(GOLDEN, directory, ("repo", "keys"))
    copy.touch("repo/ret/00000008.00")     before each change: the path of a file, of the golden repository or a new one
    copy.reset("out")                      as it was, without what there is besides under these names
"""
import os
import shutil


class Copy:
    def __init__(self, golden, root, parts):
        self.golden, self.root, self.touched = golden, root, set()
        for part in parts:
            shutil.copytree(os.path.join(golden, part), os.path.join(root, part), copy_function=shutil.copyfile)
        for directory, _, _ in os.walk(root):
            os.chmod(directory, 0o700)

    def touch(self, path):
        self.touched.add(path)

    def reset(self, *extra):
        for path in self.touched:
            there, good = os.path.join(self.root, path), os.path.join(self.golden, path)
            if os.path.lexists(there):
                os.remove(there)
            if os.path.exists(good):
                shutil.copyfile(good, there)
                continue
            parent = os.path.dirname(path)  # a directory that the case made
            while parent and not os.path.isdir(os.path.join(self.golden, parent)):
                if os.path.isdir(os.path.join(self.root, parent)) and not os.listdir(os.path.join(self.root, parent)):
                    os.rmdir(os.path.join(self.root, parent))
                parent = os.path.dirname(parent)
        self.touched.clear()
        for name in extra:
            there = os.path.join(self.root, name)
            if os.path.isdir(there):
                shutil.rmtree(there)
            elif os.path.lexists(there):
                os.remove(there)
