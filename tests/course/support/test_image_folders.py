"""starter/support/image_folders.py: images in files, whatever lies beside them, and clean-fid on the same files."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from starter.support import features, image_folders


def noisy(x: torch.Tensor, sigma: float) -> torch.Tensor:
    return (x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


def save(folder: Path, x: torch.Tensor) -> Path:
    folder.mkdir()
    for i, image in enumerate(x):
        pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
        Image.fromarray(pixels.numpy()).save(folder / f"{i:04}.png")
    return folder


def test_a_folder_gives_back_the_images_that_were_written(train, tmp_path):
    grey, colour = train.x[:5], torch.randint(0, 256, (4, 3, 6, 9), dtype=torch.uint8)
    for name, x in {"grey": grey, "colour": colour}.items():
        torch.testing.assert_close(image_folders.load(save(tmp_path / name, x)), x.float() / 255)
    nested = image_folders.load(tmp_path / "grey")
    (tmp_path / "above").mkdir()
    (tmp_path / "grey").rename(tmp_path / "above" / "grey")
    (tmp_path / "above" / "notes.txt").write_text("no image")
    assert image_folders.load(str(tmp_path / "above")).equal(nested)


def test_a_folder_that_is_no_set_of_images_is_one_line_that_names_the_file(train, tmp_path):
    good = save(tmp_path / "good", train.x[:40])
    (tmp_path / "empty").mkdir()
    cases = {"is no folder": tmp_path / "nowhere", "is a folder without images": tmp_path / "empty"}
    for name, damage in {
        "0007.png is no readable image": lambda path: path.write_bytes(path.read_bytes()[:60]),
        "0008.png is no readable image": lambda path: path.write_text("<html>"),
        r"0009.png has shape \(C, H, W\) = \(1, 4, 4\)": lambda path: Image.new("L", (4, 4)).save(path),
        r"0010.png has shape \(C, H, W\) = \(3, 16, 16\)": lambda path: Image.new("RGB", (16, 16)).save(path),
    }.items():
        cases[name] = save(tmp_path / f"case-{len(cases)}", train.x[:40])
        damage(cases[name] / name[:8])
    for says, path in cases.items():
        for call in (image_folders.load, lambda p: image_folders.fid(good, p), lambda p: image_folders.fid(p, good)):
            with pytest.raises(ValueError, match=says) as raised:
                call(path)
            assert "\n" not in str(raised.value)
    few = save(tmp_path / "few", train.x[: features.DIM])
    with pytest.raises(ValueError, match="FID of 32 images in 32 features"):
        image_folders.fid(good, few)


def test_coloured_images_are_judged_by_the_network_of_colours_and_not_beside_grey_ones(train, tmp_path):
    x = torch.randint(0, 256, (2, 60, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    first, second, grey = (save(tmp_path / name, images) for name, images in zip("abc", (*x, train.x[:60])))
    ours = features.fid(x[0].float() / 255, x[1].float() / 255)
    assert image_folders.fid(first, second) == pytest.approx(ours, rel=1e-3, abs=1e-3)
    with pytest.raises(ValueError, match=f"^{grey} is grey, {first} is not: compare grey or coloured images only$"):
        image_folders.fid(first, grey)


def test_clean_fid_finds_the_same_number_in_folders_of_png_files(train, test, tmp_path, monkeypatch, capfd):
    """The whole of clean-fid with our features in place of Inception's, and no network to fetch anything from."""
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("clean-fid opened a connection"))
    sets = {"real": train.x[:200], "noisy": (noisy(test.pixels()[:150], 0.2) * 255).round().byte()}
    theirs = image_folders.fid(*(save(tmp_path / name, x) for name, x in sets.items()))
    assert theirs == pytest.approx(features.fid(*(x.float() / 255 for x in sets.values())), rel=1e-4)
    assert capfd.readouterr() == ("", "")
