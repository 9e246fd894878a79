"""OpenEnv's layout expects the server here; it lives in `physix.api.app`."""

from physix.api.app import create_app
from physix.api.app import main as _serve
from physix.settings import Settings

app = create_app(Settings())


def main() -> None:
    """Serve with settings from the environment and flags."""
    _serve()


if __name__ == "__main__":
    main()
