"""Where the demonstration listens."""

from pathlib import Path

import pytest

from portal.demo import demo_settings
from portal.errors import SettingsContradictionError


def test_a_state_folder_keeps_its_ports(tmp_path: Path) -> None:
    first = demo_settings(tmp_path, headless=False, home_port=18400)
    again = demo_settings(tmp_path, headless=False, home_port=None)
    assert (first.home_port, first.hub_port, first.sandbox_port) == (18400, 18401, 18402)
    assert again.home_port == 18400


def test_another_port_for_a_folder_that_has_one_is_refused_and_changes_nothing(
    tmp_path: Path,
) -> None:
    demo_settings(tmp_path, headless=False, home_port=18400)
    with pytest.raises(SettingsContradictionError) as refused:
        demo_settings(tmp_path, headless=False, home_port=18500)
    assert "18400" in str(refused.value)
    assert demo_settings(tmp_path, headless=True, home_port=18400).home_port == 18400
