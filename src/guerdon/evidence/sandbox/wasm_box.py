"""The files of a program in WebAssembly: /box as a dictionary in the worker, so that nothing is written anywhere.

It answers as a folder does, within a size and a count. Imported by the worker alone, and by nothing of the library.
"""

import errno


class Box:
    """/box, in the memory of this process: files and folders by path, within a size and a count.

    A refusal is an OSError, which the program sees as its own.

    Args:
        files: relative path -> contents, at the start.
        stat: makes the answer to `stat`, of "file" or "dir" and a size.
        disk: bytes of all files.
        file: bytes of one file.
        most: files and folders.
    """

    def __init__(self, files, stat, disk, file, most):
        self.made, self.disk, self.file, self.most = stat, disk, file, most
        self.folders, self.files, self.used = {"/": {}}, {}, 0
        for name, data in files.items():
            parts = name.split("/")
            for n in range(1, len(parts)):
                folder = "/" + "/".join(parts[:n])
                if folder not in self.folders:
                    self.mkdir(folder)
            self._put("/" + name, data)

    def stat(self, path):
        """What a path is."""
        if path in self.folders:
            return self.made("dir", 0)
        return self.made("file", len(self._file(path)))

    def list(self, path):
        """The names in a folder, with their kinds."""
        return list(self._folder(path).items())

    def read(self, path):
        """A file's contents."""
        return self._file(path)

    def write(self, path, data):
        """Makes a file, or replaces its contents."""
        if len(data) > self.file:
            raise OSError(errno.EFBIG, "larger than a file may be")
        self._put(path, bytes(data))

    def mkdir(self, path):
        """Makes a folder."""
        above, name = self._above(path)
        if name in above:
            raise FileExistsError(errno.EEXIST, path)
        self._count()
        above[name] = "dir"
        self.folders[path] = {}

    def remove(self, path):
        """Removes a file."""
        self.used -= len(self._file(path))
        del self.files[path]
        above, name = self._above(path)
        del above[name]

    def rmdir(self, path):
        """Removes an empty folder."""
        if path == "/":
            raise OSError(errno.EBUSY, path)
        if self._folder(path):
            raise OSError(errno.ENOTEMPTY, path)
        del self.folders[path]
        above, name = self._above(path)
        del above[name]

    def rename(self, old, new):
        """Moves a file or folder, over a file or an empty folder."""
        if "/" in (old, new):
            raise OSError(errno.EBUSY, old)
        kind = "dir" if old in self.folders else "file"
        if kind == "file":
            self._file(old)
        if new == old:
            return
        if new.startswith(old + "/"):
            raise OSError(errno.EINVAL, new)
        above, name = self._above(new)
        there = above.get(name)
        if there == "dir" and kind == "file":
            raise IsADirectoryError(errno.EISDIR, new)
        if there == "file" and kind == "dir":
            raise NotADirectoryError(errno.ENOTDIR, new)
        if there is not None:
            (self.rmdir if there == "dir" else self.remove)(new)
        above[name] = kind
        before, last = self._above(old)
        del before[last]
        for kept in (self.folders, self.files):
            for path in [one for one in kept if one == old or one.startswith(old + "/")]:
                kept[new + path[len(old) :]] = kept.pop(path)

    def _above(self, path):
        folder, _, name = path.rpartition("/")
        return self._folder(folder or "/"), name

    def _folder(self, path):
        found = self.folders.get(path)
        if found is not None:
            return found
        self._file(path)
        raise NotADirectoryError(errno.ENOTDIR, path)

    def _file(self, path):
        found = self.files.get(path)
        if found is not None:
            return found
        if path in self.folders:
            raise IsADirectoryError(errno.EISDIR, path)
        while (path := path.rpartition("/")[0]) and path not in self.folders:
            if path in self.files:
                raise NotADirectoryError(errno.ENOTDIR, path)
        raise FileNotFoundError(errno.ENOENT, "no such file")

    def _count(self):
        if len(self.files) + len(self.folders) > self.most:
            raise OSError(errno.ENOSPC, "too many files")

    def _put(self, path, data):
        above, name = self._above(path)
        if above.get(name) == "dir":
            raise IsADirectoryError(errno.EISDIR, path)
        had = self.files.get(path)
        if had is None:
            self._count()
        used = self.used + len(data) - len(had or b"")
        if used > self.disk:
            raise OSError(errno.ENOSPC, "the disk is full")
        self.used, self.files[path], above[name] = used, data, "file"
