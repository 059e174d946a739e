import subprocess
import sys


def test_joint_layouts_are_read_without_pytorch() -> None:
    code = "import sys, recognizer.skeletons, recognizer.config; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_network_is_found_at_the_top() -> None:
    import recognizer
    from recognizer.model import Recognizer

    assert recognizer.Recognizer is Recognizer
