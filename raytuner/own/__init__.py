"""Objectives of the user's own: functions of items, generators that train, programs."""
