"""The certificate of one run of the emulator, and the file that tells its clients of it."""

import shutil
import ssl
import tempfile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sens_async.emulator.certificates import Authority

__all__ = ["Trust"]


class Trust:
    """Made once for an emulator; begins and ends with each of its runs.

    Args:
        path: Where the file is to be; None for a temporary folder.

    Attributes:
        file: Where it is; None while there is none.

    Raises:
        ImportError: The library for certificates is not installed.
    """

    def __init__(self, path: str | PathLike[str] | None) -> None:
        try:
            # An extra, and of no use without TLS.
            from sens_async.emulator import certificates  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(
                f"the emulator's TLS needs {error.name}: pip install 'sens-async[emulator]'",
                name=error.name,
            ) from error
        self.file: Path | None = None
        self._certificates = certificates
        self._path = None if path is None else Path(path).absolute()
        self._folder: Path | None = None
        self._authority: Authority | None = None

    def begin(self) -> ssl.SSLContext:
        """Make the certificates; answers what the server needs."""
        self._authority = self._certificates.make_authority()
        return self._authority.context

    def publish(self) -> None:
        """Write the file.

        Raises:
            OSError: It cannot be written, or another file is there.
        """
        assert self._authority is not None
        path = self._path
        if path is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sens-emulator-"))
            path = self._folder / "ca.pem"
        self._certificates.write_certificate(self._authority.certificate, path)
        self.file = path

    def end(self) -> None:
        """Forget the certificates, and remove the temporary folder."""
        self.file = self._authority = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
