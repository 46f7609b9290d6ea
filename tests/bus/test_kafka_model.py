"""The bus on Kafka against the model."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.bus.harness import World
from tests.bus.modelling import Model
from tests.bus.worlds import KafkaWorld


def test_every_history_agrees_with_the_model(kafka: str) -> None:
    """Publish, take, commit, take over, kill and restart in any order: nothing lost or repeated."""

    class KafkaModel(Model):
        @staticmethod
        def make() -> World:
            return KafkaWorld(kafka)

    # A step here is a conversation with a broker, and each history has topics of its own.
    usual = settings.default or settings()
    fewer = settings(max_examples=usual.max_examples // 20, stateful_step_count=20)
    run_state_machine_as_test(KafkaModel, settings=fewer)
