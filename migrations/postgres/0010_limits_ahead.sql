-- The time until which a bucket is spent after one more permit. It is computed once the row is
-- locked, so that the clock is not read before a wait.
--
-- No grant puts the time more than a whole burst and a permit ahead: an attempt that counts twice
-- charges the bucket at half the rate, with half the burst rounded down. A time beyond that is of a
-- clock that was set back, or of a slower rate, and its bucket counts as empty. It gets this permit,
-- since only a permit that is granted is recorded, and without a record no permit would come back.
CREATE OR REPLACE FUNCTION spend_permit(tat bigint, every bigint, burst bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now bigint := limits_now();
BEGIN
  IF tat > now + every * (burst + 1) THEN
    RETURN now + every * burst;
  END IF;
  RETURN greatest(tat, now) + every;
END $$;
