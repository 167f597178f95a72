"""Merge exports of `tenants` and `users` with Spark, by the mapping that the local engine uses.

    spark_job.py --tenants EXPORT --users EXPORT --kept by-domain,by-email --target FOLDER

EXPORT is the folder that DynamoDB named after the export, with `manifest-summary.json` and `data/`. FOLDER must
not be there yet; it gets the files that ImportTable reads (DYNAMODB_JSON, GZIP). Runs as an AWS Glue 5.0 job
(Spark 3.5.4, Python 3.11) with the zip of package.py in `--extra-py-files`, and anywhere that Spark runs. Prints
how many items it wrote, and fails when the manifests promise another number: neither half an export nor half a
result is imported.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from pyspark.sql import SparkSession

from examples.spark.export_format import merged_line
from optimizer.consolidate.mapping import Entity

GZIP = "org.apache.hadoop.io.compress.GzipCodec"
# ImportTable reads every object under its prefix: an empty marker would be one of them.
NO_MARKER = ("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")

# An export is a file a partition, in the order of the partitions. ImportTable takes 50,000 objects at most, and loads
# best what is spread over all of the keys:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.BestPractices.html
ITEMS_A_FILE = 250_000


def merge_exports(spark: SparkSession, exports: Mapping[Entity, str], kept: Sequence[str], target: str) -> int:
    """Write the merged items of all exports to `target`; how many. Raises ValueError when that is not all."""
    context = spark.sparkContext
    context._jsc.hadoopConfiguration().set(*NO_MARKER)  # noqa: SLF001 -- PySpark has no other way to it
    promised = sum(_promised(spark, folder) for folder in exports.values())
    lines = context.union(
        [
            context.textFile(f"{folder}/data/*").map(partial(merged_line, entity, kept))
            for entity, folder in exports.items()
        ]
    )
    lines.repartition(1 + promised // ITEMS_A_FILE).saveAsTextFile(target, compressionCodecClass=GZIP)
    written = int(context.textFile(target).count())
    if written != promised:
        raise ValueError(f"{target} has {written:,} items, the manifests promise {promised:,}. Export again.")
    return written


def _promised(spark: SparkSession, folder: str) -> int:
    ((_, manifest),) = spark.sparkContext.wholeTextFiles(f"{folder}/manifest-summary.json").collect()
    return int(json.loads(manifest)["itemCount"])


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Merge exports of the sources into what ImportTable reads.")
    for entity in Entity:
        parser.add_argument(f"--{entity}", required=True)
    parser.add_argument("--kept", required=True, type=lambda names: names.split(","))
    parser.add_argument("--target", required=True)
    asked, _ = parser.parse_known_args(argv)  # Glue adds arguments of its own
    spark = SparkSession.builder.appName("tap-consolidation").getOrCreate()
    exports = {entity: getattr(asked, entity).rstrip("/") for entity in Entity}
    print(merge_exports(spark, exports, asked.kept, asked.target))  # noqa: T201 -- the job's result, in its log


if __name__ == "__main__":
    main(sys.argv[1:])
