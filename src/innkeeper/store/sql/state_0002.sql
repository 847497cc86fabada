-- Which lane a profile's next timer is in: 0 service and transactional journeys, 1 everything else. A busy live tick
-- takes the first lane first.
ALTER TABLE subjects ADD COLUMN lane INTEGER NOT NULL DEFAULT 1;
CREATE INDEX subjects_service ON subjects (next_due_at, subject) WHERE lane = 0;
