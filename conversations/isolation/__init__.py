"""The proof that two users cannot see each other: here, at Coze, and in what the assistant says."""

from conversations.isolation.proof import prove, prove_with_temporary_users, without_isolation
from conversations.isolation.report import Outcome, Probe, Report

__all__ = ["Outcome", "Probe", "Report", "prove", "prove_with_temporary_users", "without_isolation"]
