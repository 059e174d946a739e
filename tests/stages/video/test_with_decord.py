import subprocess
import sys


def test_decord_before_pytorch_leaves_matrix_products_alone() -> None:
    """decord loads NVBLAS where CUDA packages are installed, which crashed the products of a PyTorch loaded later."""
    code = (
        "import stages.video.with_decord, torch; "
        "x = torch.ones(2176, 16); print(int(torch.nn.functional.linear(x, torch.ones(64, 16)).sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, [str(2176 * 64 * 16)]), done.stderr
