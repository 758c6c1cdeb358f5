//! [`Workers`]: threads that do equal jobs, one after the other, whoever is free.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};

struct Desk<J, R> {
    jobs: VecDeque<J>,
    results: Vec<thread::Result<R>>,
    is_over: bool,
}

/// What is to be done, and what was.
pub(super) struct Workers<J, R> {
    desk: Mutex<Desk<J, R>>,
    /// There is a job, or will be no more.
    job: Condvar,
    /// There is a result.
    result: Condvar,
}

impl<J: Send, R: Send> Workers<J, R> {
    pub(super) fn new() -> Workers<J, R> {
        let desk = Desk { jobs: VecDeque::new(), results: Vec::new(), is_over: false };
        Workers { desk: Mutex::new(desk), job: Condvar::new(), result: Condvar::new() }
    }

    /// Another thread, which does jobs until they are over.
    pub(super) fn hire<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, work: impl Fn(J) -> R + Send + 'scope) {
        scope.spawn(move || {
            while let Some(job) = self.wait() {
                let result = catch_unwind(AssertUnwindSafe(|| work(job)));
                self.desk().results.push(result);
                self.result.notify_one();
            }
        });
    }

    /// Has all these jobs done, and helps.
    pub(super) fn run(&self, jobs: VecDeque<J>, work: impl Fn(J) -> R) -> Vec<R> {
        let (count, mut done) = (jobs.len(), Vec::with_capacity(jobs.len()));
        self.desk().jobs = jobs;
        self.job.notify_all();
        while done.len() < count {
            let mut desk = self.desk();
            for result in desk.results.drain(..) {
                done.push(result.unwrap_or_else(|panic| resume_unwind(panic)));
            }
            match desk.jobs.pop_front() {
                Some(job) => {
                    drop(desk);
                    done.push(work(job));
                }
                None if done.len() < count => drop(self.result.wait(desk)),
                None => {}
            }
        }
        done
    }

    /// Those who were hired go home when this is dropped, whatever happened.
    pub(super) fn shift(&self) -> impl Drop + '_ {
        Shift(self)
    }

    fn wait(&self) -> Option<J> {
        let mut desk = self.desk();
        loop {
            if let Some(job) = desk.jobs.pop_front() {
                return Some(job);
            }
            if desk.is_over {
                return None;
            }
            desk = self.job.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk<J, R>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Shift<'a, J: Send, R: Send>(&'a Workers<J, R>);

impl<J: Send, R: Send> Drop for Shift<'_, J, R> {
    fn drop(&mut self) {
        self.0.desk().is_over = true;
        self.0.job.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a workers of so many does with these jobs, round by round.
    fn done(hired: usize, rounds: usize, work: fn(u64) -> u64) -> Vec<Vec<u64>> {
        let workers = Workers::new();
        thread::scope(|scope| {
            let _shift = workers.shift();
            (0..hired).for_each(|_| workers.hire(scope, work));
            let round = |round| {
                let mut done = workers.run((0..100).map(|job| 100 * round + job).collect(), work);
                done.sort_unstable();
                done
            };
            (0..rounds as u64).map(round).collect()
        })
    }

    #[test]
    fn every_job_is_done_once_whoever_does_it() {
        let alone = done(0, 20, |job| job * 2);
        assert_eq!(alone[19], (1900..2000).map(|job| job * 2).collect::<Vec<_>>());
        assert_eq!(done(3, 20, |job| job * 2), alone);
    }

    #[test]
    fn a_panic_is_passed_on_and_all_go_home() {
        for hired in [0, 3] {
            let ended = thread::spawn(move || done(hired, 1, |job| 100 / (job - 77))).join();
            assert!(ended.is_err(), "{hired} hired");
        }
    }
}
