"""Changes to a release that leave its checksums right, so that only a closer look finds them."""

import json

import pyarrow.parquet as pq
import yaml

from rass_bench.files import sha256_file
from rass_bench.release.sums import write_release_sums


def edit_rows(folder, shard, change):
    """Let ``change`` alter the rows of one shard; its hash is corrected wherever it stands."""
    path = folder / shard
    before = sha256_file(path)
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)
    croissant = folder / "croissant.json"
    croissant.write_text(croissant.read_text().replace(before, sha256_file(path)))
    write_release_sums(folder)


def edit_card(folder, change):
    """Let ``change`` alter the card's metadata."""
    card = folder / "README.md"
    _, front, body = card.read_text().split("---\n", 2)
    metadata = yaml.safe_load(front)
    change(metadata)
    card.write_text(f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---\n{body}")
    write_release_sums(folder)


def edit_croissant(folder, change):
    """Let ``change`` alter the Croissant document."""
    path = folder / "croissant.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    write_release_sums(folder)
