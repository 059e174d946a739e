from stages.report.page import confusions, grouped, number, percent


def failure(clip_id: str, error: str, stage: str = "decode") -> dict[str, str]:
    return {"clip_id": clip_id, "stage": stage, "error": error}


def test_failures_that_differ_in_names_and_numbers_are_one_group() -> None:
    groups = grouped(
        [
            failure("z.mp4", "nobody was found", "pose"),
            failure("a.mp4", "a.mp4 ends after frame 3 of 90"),
            failure("b.mp4", "b.mp4 ends after frame 17 of 90"),
            failure("c.mp4", "no video"),
        ]
    )
    assert [(group["stage"], group["reason"], len(group["clips"])) for group in groups] == [
        ("decode", "… ends after frame 3 of 90", 2),
        ("decode", "no video", 1),
        ("pose", "nobody was found", 1),
    ]


def test_confusions_come_in_order_of_their_number() -> None:
    found = confusions(["a", "b", "c"], [[5, 1, 0], [3, 1, 0], [0, 0, 0]])
    assert [(pair["label"], pair["predicted"], pair["count"]) for pair in found] == [("b", "a", 3), ("a", "b", 1)]
    assert found[0]["share"] == 0.75


def test_figures_for_people() -> None:
    assert [percent(0.9166), percent(0.5, 0)] == ["91.7 %", "50 %"]
    assert [number(7), number(12345), number(2_050_000)] == ["7", "12 345", "2.05 million"]
