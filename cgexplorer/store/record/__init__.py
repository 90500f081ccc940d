"""The only writer. Everything is idempotent: what is stored already is found, not stored again.

unit.save(…)         one manifest with its evidence, verdicts and SBOMs, in one transaction
tags.observe(…)      where tags point now, and what is searchable because of it
policies, payloads   what the others hang on
"""
