"""What every log must do: the suite that each of them passes, ours and a third party's.

A backend's tests say how to open an empty log and inherit the rest (pytest and pytest-asyncio run it):

```python
pytest.register_assert_rewrite("physix.store.contract")  # in conftest.py: failures show values
from physix.store.contract import LogContract, OpenLog

class TestMyLog(LogContract):
    @pytest.fixture
    def open_one(self, tmp_path: Path) -> OpenLog:
        return lambda: open_my_log(tmp_path)
```
"""

from physix.store.contract.finding import FindingContract
from physix.store.contract.lists import ListContract
from physix.store.contract.streams import OpenLog, StreamContract

__all__ = ["LogContract", "OpenLog"]


class LogContract(StreamContract, ListContract, FindingContract):
    """Inherit, and give the fixture `open_one`: a function that opens the same log at every call."""
