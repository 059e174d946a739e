"""Predict people: class probabilities of each person of a clip, from a crop of their own and a trained model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from pipeline.rows import aligned_rows
from stages.predict.stage import Predict
from stages.tables import MODELS, PEOPLE, PEOPLE_PREDICTIONS

if TYPE_CHECKING:
    from recognizer.model import Recognizer


class PredictPeople(Predict):
    """Predicts the class probabilities of each person, with the parameters of ``predict``."""

    key_name: ClassVar[str | None] = "stages.predict_people:PredictPeople"
    version: ClassVar[int] = 1
    makes = PEOPLE_PREDICTIONS
    takes = (PEOPLE, MODELS)

    def process(self, clips: pa.Table, inputs: Mapping[str, pa.Table], loaded: "Recognizer") -> pa.Table:
        from stages.devices import threads
        from stages.predict.views import NO_NUMBERS, are_numbers, mean_probabilities

        names = list(loaded.config.class_names)
        rows = []
        with threads(1):
            for clip, own in zip(clips.to_pylist(), aligned_rows(inputs, clips.num_rows), strict=True):
                found = own["people"]
                shards = (
                    {"clip_id": str(i), "layout": found["layout"], "times": found["times"], **person}
                    for i, person in enumerate(found["people"])
                )
                means = mean_probabilities(loaded, shards, self.views, self.batch, self.frames, self.precision)
                people = [
                    {"probabilities": means[str(i)], "boxes": person["boxes"]}
                    for i, person in enumerate(found["people"])
                ]
                answer = {"error": None, "class_names": names, "times": found["times"], "people": people}
                well = all(map(are_numbers, means.values()))
                rows.append({"clip_id": clip["clip_id"]} | (answer if well else {"error": NO_NUMBERS}))
        return pa.Table.from_pylist(rows, schema=self.makes.schema)
