"""The domain: events, the episode aggregate, and the shell that runs commands against a log."""

from physix.engine.episode import Episode, Turn, evolve, fold, observe
from physix.engine.events import (
    EpisodeConfig,
    EpisodeFinished,
    EpisodeLabelled,
    EpisodeStarted,
    Event,
    HypothesisSubmitted,
    PolicyFailed,
    Provenance,
    RecordedEvent,
    RewardComputed,
    SimulationRun,
)
from physix.engine.ports import EventLog, Observation, Policy, Proposal
from physix.engine.runner import EpisodeEngine

__all__ = [
    "Episode",
    "EpisodeConfig",
    "EpisodeEngine",
    "EpisodeFinished",
    "EpisodeLabelled",
    "EpisodeStarted",
    "Event",
    "EventLog",
    "HypothesisSubmitted",
    "Observation",
    "Policy",
    "PolicyFailed",
    "Proposal",
    "Provenance",
    "RecordedEvent",
    "RewardComputed",
    "SimulationRun",
    "Turn",
    "evolve",
    "fold",
    "observe",
]
