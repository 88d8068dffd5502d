"""The steps of one dataset: the list of its pictures, its shards, and their index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.config.dataset_tables import Dataset, picture_tensor
from pipeline.config.load_project import Configs
from pipeline.execution.action import Action, Isolation
from pipeline.graph.layout import Layout
from pipeline.graph.parameters import to_parameters
from pipeline.graph.source_locations import fixture_table
from pipeline.tensor.dataset.dataset_index import make_index
from pipeline.tensor.dataset.folder_pictures import Listing, list_folder, list_glob
from pipeline.tensor.dataset.list_pictures import list_pictures, pack_archive, pack_bucket
from pipeline.tensor.dataset.make_shard import make_shard
from pipeline.tensor.dataset.pictures import shard_of
from pipeline.verify.accuracy import measure_accuracy
from pipeline.verify.score import score

_TOOLS = ("numpy", "pillow", "opencv-python-headless")
# A bucket or an archive of a hundred thousand pictures.
_GATHER_SECONDS = 24 * 3600.0


class DatasetSteps:
    """The steps of the dataset ``name`` of a fixture; ``sources`` are its fetched files."""

    def __init__(
        self,
        layout: Layout,
        configs: Configs,
        fixture_name: str,
        name: str,
        sources: Mapping[str, Path],
    ) -> None:
        fixture = configs.fixtures[fixture_name]
        self._layout = layout
        self._fixture = fixture
        self._dataset: Dataset = fixture.dataset[name]
        self._label = f"{fixture_name}.{name}"
        self._common: dict[str, Any] = {
            "fixture": fixture_name,
            "case": name,
            "declared": fixture_table(configs, fixture_name, "dataset", name),
        }
        self._where = f"{fixture_name}: dataset {name}"
        self._sources = sources
        self._folder = layout.artifacts / fixture_name / "datasets" / name
        self._published = layout.artifacts / fixture_name
        self._ir = layout.ir(fixture_name, fixture.model)
        self._packs = layout.step(fixture_name, f"datasets/{name}")
        self._index = self._folder / "index.ndjson"
        self._report = self._folder / "accuracy.json"
        self._interface = layout.step(fixture_name, "interface.json")
        self._guest = layout.step("guests", f"{fixture.guest.program}.wasm")
        self._numbers = range(self._dataset.shards)
        [given] = fixture.model.inputs.values()
        self._dims = list(given.shape)

    def all(self) -> list[Action]:
        """Return them in the order in which data flows."""
        listing = self._listing()
        pictures = self._pictures(listing)
        return [
            pictures,
            *(self._shards(listing, pictures)),
            self._dataset_index(),
            *(self._scores() if self._dataset.accuracy is not None else ()),
        ]

    def _listing(self) -> Listing | None:
        dataset, root = self._dataset, self._layout.root
        if dataset.folder is not None:
            return list_folder(root, dataset.folder)
        if dataset.glob is not None:
            return list_glob(root, dataset.glob)
        return None

    def _pictures(self, listing: Listing | None) -> Action:
        dataset = self._dataset
        outputs = {"pictures": self._packs / "pictures.json"}
        common: dict[str, Any] = {
            "kind": "pictures",
            "label": self._label,
            **self._common,
            "seconds": _GATHER_SECONDS,
            "invalidates": (self._index, self._report),
        }
        parameters: dict[str, object] = {
            "where": self._where,
            "bad": dataset.bad,
            "shards": dataset.shards,
        }
        if listing is not None:
            place = dataset.folder or dataset.glob
            names = {"names": sorted(listing.files), "faults": dict(listing.faults)}
            return Action(
                title=f"the list of pictures in {place}",
                recipe=list_pictures,
                outputs=outputs,
                parameters={**parameters, **names, "where": f"{self._where}: {place}"},
                folders=listing.folders,
                **common,
            )
        outputs |= {f"pack.{number}": self._pack(number) for number in self._numbers}
        if dataset.archive is not None:
            return Action(
                title=f"the pictures of {dataset.archive}, distributed among the shards",
                recipe=pack_archive,
                inputs={"archive": self._sources[dataset.archive]},
                outputs=outputs,
                parameters={**parameters, "label": f"{self._label}: {dataset.archive}"},
                **common,
            )
        return Action(
            title=f"the pictures of {dataset.bucket}, distributed among the shards",
            recipe=pack_bucket,
            outputs=outputs,
            parameters={**parameters, "bucket": dataset.bucket},
            unkeyed={"offline": self._layout.offline},
            **common,
        )

    def _shards(self, listing: Listing | None, pictures: Action) -> Iterator[Action]:
        given: list[dict[str, Path]] = [{} for _ in self._numbers]
        if listing is None:
            given = [{"pack": self._pack(number)} for number in self._numbers]
        else:
            for name, path in sorted(listing.files.items()):
                given[shard_of(name, len(given))][f"picture.{name}"] = path
        shared = {}
        if (mean_image := self._dataset.tensor.mean_image) is not None:
            shared["mean_image"] = self._sources[mean_image]
        for number, inputs in enumerate(given):
            yield Action(
                kind="shard",
                label=f"{self._label}.{number:04}",
                **self._common,
                title=f"the tensors of part {number + 1} of {len(given)}",
                recipe=make_shard,
                inputs={**inputs, **shared},
                outputs={
                    "tensors": self._folder / self._file(number),
                    "index": self._packs / f"{number:04}.ndjson",
                },
                parameters={
                    "where": self._where,
                    "bad": self._dataset.bad,
                    "dims": self._dims,
                    "tensor": to_parameters(picture_tensor(self._dataset)),
                },
                tools=_TOOLS,
                isolation=Isolation.WORKER,
                seconds=self._dataset.seconds,
                # A second copy of all tensors costs more than the few seconds in which a shard is
                # made again.
                restorable=False,
                invalidates=(self._index, self._report),
                # That reports what is wrong with all of them, before any of them starts.
                after=(pictures.name,),
            )

    def _dataset_index(self) -> Action:
        dataset = self._dataset
        labels = {"labels": dataset.labels, "classes": dataset.classes}
        return Action(
            kind="dataset",
            label=self._label,
            **self._common,
            title="index.ndjson: every picture's tensor, digest and label",
            recipe=make_index,
            inputs={
                "pictures": self._packs / "pictures.json",
                **{f"shard.{n}": self._packs / f"{n:04}.ndjson" for n in self._numbers},
                **{key: self._sources[name] for key, name in labels.items() if name},
            },
            outputs={"index": self._index},
            parameters={
                "where": self._where,
                "name": self._label,
                "dims": self._dims,
                "tensor": to_parameters(picture_tensor(dataset)),
                "files": [self._file(number) for number in self._numbers],
                "label_folders": dataset.label_folders,
                "classified": dataset.accuracy is not None,
            },
            invalidates=(self._report,),
        )

    def _scores(self) -> Iterator[Action]:
        accuracy = self._dataset.accuracy
        assert accuracy is not None
        for number in self._numbers:
            yield Action(
                kind="score",
                label=f"{self._label}.{number:04}",
                **self._common,
                title=f"part {number + 1} of {len(self._numbers)}, natively and in the sandbox",
                recipe=score,
                inputs={
                    **self._ir,
                    "guest": self._guest,
                    "interface": self._interface,
                    "tensors": self._folder / self._file(number),
                    "index": self._packs / f"{number:04}.ndjson",
                },
                outputs={"scores": self._packs / f"{number:04}.scores.ndjson"},
                parameters={
                    "where": self._where,
                    "guest": to_parameters(self._fixture.guest),
                    "output": accuracy.output,
                },
                tools=("openvino", "wasmtime", "numpy"),
                isolation=Isolation.WORKER,
                seconds=self._dataset.seconds,
                invalidates=(self._report,),
            )
        yield Action(
            kind="accuracy",
            label=self._label,
            **self._common,
            evidence=self._report,
            title="how many pictures were classified right, natively and in the sandbox",
            recipe=measure_accuracy,
            inputs={
                "index": self._index,
                **{f"scores.{n}": self._packs / f"{n:04}.scores.ndjson" for n in self._numbers},
            },
            outputs={"report": self._report},
            parameters={
                "where": self._where,
                "name": self._label,
                "accuracy": to_parameters(accuracy),
            },
        )

    def _pack(self, number: int) -> Path:
        return self._packs / f"{number:04}.tar"

    def _file(self, number: int) -> str:
        return f"{number:04}.tensors"
