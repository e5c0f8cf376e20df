"""A small project that is no marketplace: parcels with UUID keys. It shows that ``realtime`` knows no order."""
